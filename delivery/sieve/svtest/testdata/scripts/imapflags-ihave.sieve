require ["imap4flags", "ihave"];
if ihave "imapflags" { error "both cannot be"; }
