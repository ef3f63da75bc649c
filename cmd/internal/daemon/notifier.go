package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A notifier is the service manager that started the program, and wants to know how it is: systemd,
// or what does the same (sd_notify(3)). Without one nothing is sent.
type notifier struct {
	socket   string        // NOTIFY_SOCKET
	watchdog time.Duration // how often it wants to hear of us; 0 for never
	// heir says that the process before, whose place this one takes, answers for it still: the manager
	// listens to nobody else (NotifyAccess=main).
	heir bool
	log  *slog.Logger
}

func newNotifier(log *slog.Logger) *notifier {
	m := &notifier{socket: os.Getenv("NOTIFY_SOCKET"), heir: os.Getenv(handedOver) != "", log: log}
	if pid := os.Getenv("WATCHDOG_PID"); pid == "" || pid == strconv.Itoa(os.Getpid()) {
		if usec, err := strconv.ParseInt(os.Getenv("WATCHDOG_USEC"), 10, 64); err == nil && usec > 0 {
			m.watchdog = time.Duration(usec) * time.Microsecond
		}
	}
	return m
}

func (m *notifier) ready(status string) {
	if m.heir { // the manager has heard it from the one before
		m.heir = false
		return
	}
	m.tell("READY=1\nSTATUS=" + status)
}

// reloading is told before a reload; ready follows. The time informs the manager which of its orders
// is meant (Type=notify-reload).
func (m *notifier) reloading() {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		m.log.Warn("ask for the time", "error", err)
	}
	m.tell(fmt.Sprintf("RELOADING=1\nMONOTONIC_USEC=%d", now.Nano()/1000))
}

func (m *notifier) stopping() { m.tell("STOPPING=1") }

// adopt makes a process that is about to be started a child of the manager rather than of ours, as the
// service is: systemd kills a service that is not its child at once where it should wait for it to stop.
func (m *notifier) adopt(cmd *exec.Cmd) {
	// The first process of a container may have no siblings (clone(2), CLONE_PARENT).
	if m.socket == "" || os.Getpid() == 1 {
		return
	}
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = new(syscall.SysProcAttr)
	}
	cmd.SysProcAttr.Cloneflags |= syscall.CLONE_PARENT
}

// successor says that another process is the service from now on.
func (m *notifier) successor(pid int) { m.tell("MAINPID=" + strconv.Itoa(pid)) }

// watch informs the watchdog that the program lives, until ctx ends.
func (m *notifier) watch(ctx context.Context) {
	if m.watchdog == 0 {
		return
	}
	tick := time.NewTicker(m.watchdog / 3)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			m.tell("WATCHDOG=1")
		case <-ctx.Done():
			return
		}
	}
}

func (m *notifier) tell(state string) {
	if m.socket == "" {
		return
	}
	// A name that begins with @ is an abstract socket, for net as for systemd.
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: m.socket, Net: "unixgram"})
	if err == nil {
		// A manager that does not read must not hold up mail.
		err = conn.SetWriteDeadline(time.Now().Add(5 * time.Second))
		if err == nil {
			_, err = conn.Write([]byte(state))
		}
		conn.Close()
	}
	if err != nil {
		m.log.Warn("tell the service manager", "state", state, "error", err)
	}
}
