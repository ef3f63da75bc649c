// Package mailbox keeps mail in Maildirs: it names a copy, stages it, makes it durable,
// publishes it, and only then reports success. It is the only package that touches mail files and
// it knows no protocol.
//
// A copy takes this way, and no reader or power cut sees it in any other order:
//
//	create tmp/<name>    O_EXCL, 0600
//	write                header of this copy, then the content
//	sync the file        its octets are on the disk, invisible
//	rename into new/     never over another file
//	sync new/            its name is on the disk
//	report success
//
// This is the order that Maildir has always asked for, with the directory sync that Linux file
// systems need: without it a power cut takes the rename back after the client got its 250.
// After any failure nothing of the copy stays, and a sync that failed is never tried again:
// the kernel has marked the pages clean, so a second sync would report success over lost data.
package mailbox
