package main

import (
	"os"
	"runtime"
	"runtime/debug"
)

// turnsPerProcessor is how many threads may run the program's code for each processor.
//
// A thread in fsync keeps its turn to run until the runtime's monitor takes it away, which looks
// every 20 µs at best and less often the less it finds. With as many turns as processors, two syncs
// that wait for the disk leave a machine of two processors idle: with four times as many, 16
// sessions delivered 1.3 times and 64 sessions 1.5 times the mail, at less processor time each
// (docs/performance.md). More than that brings nothing and costs memory.
const turnsPerProcessor = 4

// useProcessors gives the program turns enough for threads that wait in the kernel, unless the
// administrator set GOMAXPROCS.
func useProcessors() {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(turnsPerProcessor * runtime.GOMAXPROCS(0))
	}
}

// giveMemoryBack returns what reading a configuration took to the kernel: with ten thousand
// addresses that is as much as all the rest, and it is not needed again before the next reload.
func giveMemoryBack() { debug.FreeOSMemory() }
