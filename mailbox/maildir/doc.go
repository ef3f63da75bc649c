// Package maildir knows the form of a Maildir: how files are named, what their names say of their content, and how
// Maildir++ folders are written on disk. It asks nothing of the kernel but, for its names, the process number.
package maildir
