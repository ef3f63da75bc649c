// Package e2e has the tests in which real mail programs stand on both sides: MTAs hand mail to the program, IMAP and
// POP servers read what it stored.
package e2e
