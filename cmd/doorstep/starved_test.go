package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// starvedID is a user who has no other processes, so that a limit of them is exact.
const starvedID = 20_007

// TestPipeIsStarved: with ever more threads, then with ever more address space, the pipe's script ends
// with 75 until it can deliver, also where neither the program nor the shell's fork has begun.
func TestPipeIsStarved(t *testing.T) {
	needRoot(t)
	program, err := staticDoorstep()
	if err != nil {
		t.Fatal(err)
	}
	script, err := filepath.Abs("../../dist/deliver")
	if err != nil {
		t.Fatal(err)
	}
	for limit, values := range map[string][]int{
		"nproc": {1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 24, 64},
		"as":    {50 << 20, 100 << 20, 300 << 20, 600 << 20, 700 << 20, 800 << 20, 1000 << 20, 1200 << 20, 4 << 30},
	} {
		t.Run(limit, func(t *testing.T) {
			dir := place(t)
			put("doorstep.toml", plainConfig(""), 0o644)(t, dir)
			if err := os.Chown(filepath.Join(dir, "mail"), starvedID, starvedID); err != nil {
				t.Fatal(err)
			}
			seen, last := map[int]int{}, ""
			for _, value := range values {
				cmd := exec.Command("prlimit", fmt.Sprintf("--%s=%d", limit, value), "sh", script, "-c", "doorstep.toml",
					"alice@example.org")
				cmd.Env = append(os.Environ(), "DOORSTEP="+program)
				cmd.Dir, cmd.Stdin = dir, strings.NewReader(message("piped"))
				cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: starvedID, Gid: starvedID}}
				out, err := cmd.CombinedOutput()
				if cmd.ProcessState == nil {
					t.Fatal(err)
				}
				code := cmd.ProcessState.ExitCode()
				seen[code]++
				last = string(out)
				if code != 0 && code != exTempFail {
					t.Errorf("--%s=%d: %v, want 0 or %d\n%.500s", limit, value, err, exTempFail, out)
				}
			}
			// One that the runtime ends leaves a file in tmp/; after it has delivered the message comes twice (RFC 1047).
			if n := len(visible(t, dir, "alice")); seen[0] == 0 || seen[exTempFail] == 0 || n < seen[0] {
				t.Errorf("exit statuses %v and %d messages, want some of each, and one for each 0\n%.500s", seen, n, last)
			}
		})
	}
}

// TestRuntimeFailsBySignal: what ends deliver in Go's runtime, here SIGQUIT, does so by a signal.
func TestRuntimeFailsBySignal(t *testing.T) {
	program, err := staticDoorstep()
	if err != nil {
		t.Fatal(err)
	}
	dir := place(t)
	configuration := filepath.Join(dir, "doorstep.toml")
	if err := syscall.Mkfifo(configuration, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "deliver", "-c", configuration, "alice@example.org")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	opened, err := os.OpenFile(configuration, os.O_WRONLY, 0) // once the program has opened it too
	if err != nil {
		t.Fatal(err)
	}
	defer opened.Close()
	if err := cmd.Process.Signal(syscall.SIGQUIT); err != nil {
		t.Fatal(err)
	}
	err = cmd.Wait()
	if status := cmd.ProcessState.Sys().(syscall.WaitStatus); !status.Signaled() {
		t.Errorf("%v, want the end by a signal", err)
	}
}
