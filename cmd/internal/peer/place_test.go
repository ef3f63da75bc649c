package peer

import "testing"

func TestFreePortIsAnotherEachTime(t *testing.T) {
	seen := map[string]bool{}
	for range 2000 {
		port := FreePort(t)
		if seen[port] {
			t.Fatalf("port %s came twice", port)
		}
		seen[port] = true
	}
}
