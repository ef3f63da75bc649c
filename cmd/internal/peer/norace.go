//go:build !race

package peer

// raceEnabled says that this program was built with the race detector.
const raceEnabled = false
