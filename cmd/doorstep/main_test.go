package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/doorstep-mail/doorstep/mailbox/powercut"
)

// TestMain makes the test binary the program: "doorstep" in PATH is the test binary under that
// name, built with whatever the tests are built with, the race detector among it.
func TestMain(m *testing.M) {
	if powercut.ServeLoopback() {
		return
	}
	// The race detector sleeps for a second before a program's end, and there are many here.
	os.Setenv("GORACE", "atexit_sleep_ms=10")
	testscript.Main(m, map[string]func(){
		"doorstep": func() { os.Exit(run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) },
		"greeting": func() { os.Exit(greeting(os.Args[1])) },
	})
}

// greeting connects to a Unix socket and prints the first line. Tests run it as another user.
func greeting(path string) int {
	conn, err := net.DialTimeout("unix", path, 10*time.Second)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	defer conn.Close()
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Print(line)
	return 0
}
