require ["vacation", "fcc", "mailbox"];
vacation :create "I am away.";
