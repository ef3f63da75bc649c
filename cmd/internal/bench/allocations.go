package main

import (
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
)

var allocsPattern = regexp.MustCompile(`BenchmarkMessage/lock-step\S*\s.*\s(\d+) allocs/op`)

// allocations counts the heap allocations of a 4 KB message through package lmtp, with a handler that
// has none, by its benchmark.
func allocations() (float64, error) {
	out, err := exec.Command("go", "test", "-run", "^$", "-bench", "^BenchmarkMessage$", "-benchmem", "-benchtime",
		"2000x",
		"github.com/doorstep-mail/doorstep/lmtp").CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("go test: %w\n%s", err, out)
	}
	found := allocsPattern.FindSubmatch(out)
	if found == nil {
		return 0, fmt.Errorf("go test told no allocations:\n%s", out)
	}
	return strconv.ParseFloat(string(found[1]), 64)
}
