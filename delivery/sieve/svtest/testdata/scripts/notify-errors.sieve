require "notify";
notify :method "sms" :options "a@example.net";
notify :options ["a@example.net", "b#example.net"];
