// Package durable takes a copy of a message from memory to the disk, in the four steps of Maildir: stage it in tmp/,
// sync it, publish it in new/, sync the directory. It knows files and no messages, mailboxes or quotas.
package durable
