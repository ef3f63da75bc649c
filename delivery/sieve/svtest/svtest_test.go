package svtest

import (
	"path/filepath"
	"testing"
)

// TestScripts runs the test scripts of testdata: one file for each extension that Pigeonhole's suite has no tests of.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.svtest")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			blocks, problems, err := Run(t.Context(), file, nil)
			if err != nil || len(problems) > 0 || len(blocks) == 0 {
				t.Fatal(problems, err)
			}
			for _, b := range blocks {
				if !b.OK {
					t.Errorf("%s:%d: %s: %s", b.File, b.Line, b.Test, b.Text)
				}
			}
		})
	}
}
