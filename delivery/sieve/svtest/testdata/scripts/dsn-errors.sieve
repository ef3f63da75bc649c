require "redirect-dsn";
redirect :notify "NEVER,SUCCESS" "carol@example.net";
redirect :ret "ALL" "carol@example.net";
