// Package directorytest is the suite that every directory passes: the same accounts, put into
// whatever the backend keeps them in, and the same questions.
package directorytest
