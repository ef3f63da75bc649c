package mailbox

// NewOn is New on another kernel, for the tests that look at the store from outside.
var NewOn = newStore
