// Package peer runs real mail programs beside Doorstep, for tests and measurements: each
// instance has its own configuration, directories and loopback port, touches nothing of the
// system's own, and is stopped when the test ends, or dies with it.
//
// The programs are those of Debian's packages; .ci/install-peers installs them. Where one is
// missing the test is skipped and says so, but with CI=true it fails.
package peer
