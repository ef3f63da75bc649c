require ["enclose", "copy"];
enclose :subject "Beware" "This may be dangerous.";
redirect :copy "carol@example.net";
