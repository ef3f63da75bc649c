// Package crash has tests alone: they take the disk, the power and the life from a running
// "doorstep serve" under load, and hold it to what its replies said. A 250 that was seen is a
// message that is there, whole; nothing in new/ or cur/ is ever less than whole.
//
// "make test" runs a short form of them, "make crash" the long one.
package crash
