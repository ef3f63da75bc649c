package daemon

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

// useProcessors makes GOMAXPROCS large enough for threads that wait in the kernel, unless the administrator set
// GOMAXPROCS, or the kernel grants too few threads for that; 0 are any number.
func useProcessors(threads int) {
	few := threads > 0 && threads < 4*turnsPerProcessor*runtime.GOMAXPROCS(0)
	if os.Getenv("GOMAXPROCS") == "" && !few {
		runtime.GOMAXPROCS(turnsPerProcessor * runtime.GOMAXPROCS(0))
	}
}

// heapGrowth is how many hundredths the heap may grow by before it is collected. So little is made
// for a message that collecting twice as often as usual costs nothing that can be measured, and the
// server is a tenth smaller.
const heapGrowth = 50

// giveMemoryBack keeps the heap small, unless the administrator set GOGC, and returns what reading a
// configuration took to the kernel: with ten thousand addresses that is as much as all the rest, and
// it is not needed again before the next reload.
func giveMemoryBack() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(heapGrowth)
	}
	debug.FreeOSMemory()
}

// FailBySignal makes what fails in Go's runtime end the process by SIGABRT and no longer with exit status 2: a panic
// that nothing recovers, a thread or memory that the kernel does not grant. 2 is a mistake in the configuration here,
// for which systemd starts no server anew; and for 2 Postfix's pipe(8) bounces the mail, while a signal defers it.
func FailBySignal() { debug.SetTraceback("crash") }
