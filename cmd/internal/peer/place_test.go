package peer

import "testing"

func TestFreePortIsAnotherEachTime(t *testing.T) {
	seen := map[string]bool{}
	for range 200 {
		port := FreePort(t)
		if seen[port] {
			t.Fatalf("port %s came twice", port)
		}
		seen[port] = true
	}
}
