require ["notify", "enotify"];
