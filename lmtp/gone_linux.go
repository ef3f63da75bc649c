package lmtp

import "golang.org/x/sys/unix"

// hungUp asks the kernel, which reports a connection that is closed both ways whatever it is asked about (poll(2)).
func hungUp(fd uintptr) bool {
	poll := []unix.PollFd{{Fd: int32(fd)}}
	n, err := unix.Poll(poll, 0)
	return err == nil && n > 0 && poll[0].Revents&(unix.POLLHUP|unix.POLLERR) != 0
}
