require "extlists";
if address :list :comparator "i;octet" "to" ":addrbook:friends" { stop; }
if address :list "to" "friends" { stop; }
redirect :list ":addrbook:friends";
