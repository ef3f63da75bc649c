// Package dist has the tests of what is delivered beside the program: units of systemd, the Debian
// package, the container, and that a build is reproducible.
package dist
