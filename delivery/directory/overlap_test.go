package directory_test

import (
	"slices"
	"testing"
	"testing/synctest"

	"github.com/doorstep-mail/doorstep/delivery/directory"
)

// TestOverlaps: an address that two directories have is told of once; one that is only in one of
// them, or that nobody has, never.
func TestOverlaps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		chain := &directory.Chain{Backends: []directory.Backend{{Name: "first", Directory: &backend{}}, {Name: "second", Directory: &backend{}}}}
		var told [][]string
		o := directory.NewOverlaps(chain, func(key directory.Key, names []string) {
			if key != alice {
				t.Errorf("told of %v", key)
			}
			told = append(told, names)
		})
		for range 3 {
			o.Look(alice)
			o.Look(nobody) // alice's turn has not ended yet
			synctest.Wait()
			o.Look(nobody)
			synctest.Wait()
		}
		if len(told) != 1 || !slices.Equal(told[0], []string{"first", "second"}) {
			t.Errorf("told %q", told)
		}
	})
}
