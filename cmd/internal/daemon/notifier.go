package daemon

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	systemd "github.com/coreos/go-systemd/v22/daemon"
	"github.com/doorstep-mail/doorstep/lmtp/guard"
)

// A notifier is the service manager that started the program, and wants to know how it is: systemd,
// or what does the same (sd_notify(3)). Without one nothing is sent.
type notifier struct {
	watchdog time.Duration // how often it wants to hear of us; 0 for never
	// successor says that the process before, whose place this one takes, answers for it still: the manager
	// listens to no other (NotifyAccess=main).
	successor bool
	log       *slog.Logger
}

func newNotifier(log *slog.Logger) *notifier {
	watchdog, err := systemd.SdWatchdogEnabled(false)
	if err != nil {
		log.Warn("no watchdog", "error", err)
	}
	return &notifier{watchdog: watchdog, successor: os.Getenv(handedOver) != "", log: log}
}

func (n *notifier) ready(status string) {
	if n.successor { // the manager has heard it from the one before
		n.successor = false
		return
	}
	n.tell(systemd.SdNotifyReady + "\nSTATUS=" + status)
}

// reloading is called before a reload; ready follows. By the time the manager knows which of its orders
// is meant (Type=notify-reload).
func (n *notifier) reloading() {
	n.tell(systemd.SdNotifyReloading + "\n" + strings.TrimSuffix(systemd.SdNotifyMonotonicUsec(), "\n"))
}

func (n *notifier) stopping() { n.tell(systemd.SdNotifyStopping) }

// replacedBy says that another process is the service from now on.
func (n *notifier) replacedBy(pid int) { n.tell("MAINPID=" + strconv.Itoa(pid)) }

// watch sends the watchdog a sign of life again and again, until ctx ends.
func (n *notifier) watch(ctx context.Context) {
	if n.watchdog == 0 {
		return
	}
	tick := time.NewTicker(n.watchdog / 3)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			n.tell(systemd.SdNotifyWatchdog)
		case <-ctx.Done():
			return
		}
	}
}

// notifyPatience is how long a manager may take to read a note: one that does not read must not hold up mail.
const notifyPatience = 5 * time.Second

func (n *notifier) tell(state string) {
	sent := make(chan error, 1)
	go guard.Run(n.log, "note to the service manager", func() {
		_, err := systemd.SdNotify(false, state)
		sent <- err
	})
	var err error
	select {
	case err = <-sent:
	case <-time.After(notifyPatience):
		err = errors.New("it does not read")
	}
	if err != nil {
		n.log.Warn("tell the service manager", "state", state, "error", err)
	}
}

// adopt makes a process that is about to be started a child of the manager rather than of ours, as the
// service is: systemd kills a service that is not its child at once where it should wait for it to stop.
func (n *notifier) adopt(cmd *exec.Cmd) {
	// The first process of a container may have no siblings (clone(2), CLONE_PARENT).
	if os.Getenv("NOTIFY_SOCKET") == "" || os.Getpid() == 1 {
		return
	}
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = new(syscall.SysProcAttr)
	}
	cmd.SysProcAttr.Cloneflags |= syscall.CLONE_PARENT
}
