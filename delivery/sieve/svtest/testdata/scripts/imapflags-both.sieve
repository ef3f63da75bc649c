require ["imap4flags", "imapflags"];
