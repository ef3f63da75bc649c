package dist

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/doorstep-mail/doorstep/cmd/internal/peer"
)

// inside is what is done with the package on a machine that is this one, with all changes in memory.
const inside = `set -eu
fail() { echo "FAILED: $*"; exit 1; }

dpkg -i "$1" || fail install
doorstep version | grep -q '^doorstep 1.0.0' || fail version
doorstep check || fail 'check of the configuration in the package'
id doorstep >/dev/null || fail user
[ "$(stat -c %U:%a /var/lib/doorstep/mail)" = doorstep:700 ] || fail 'owner of the store'
[ "$(stat -c %U:%a /run/doorstep)" = doorstep:755 ] || fail 'runtime directory'
[ -f /lib/systemd/system/doorstep.service ] && [ -f /lib/systemd/system/doorstep.socket ] || fail units
[ -f /usr/share/man/man5/doorstep.toml.5.gz ] && [ -f /usr/share/man/man8/doorstep-serve.8.gz ] || fail 'man pages'
[ -f /usr/share/bash-completion/completions/doorstep ] || fail completion
(cd / && grep -v ' etc/' /var/lib/dpkg/info/doorstep.md5sums | md5sum -c --quiet) || fail md5sums

# It serves as the user whom the package made, and takes a message.
sed 's,systemd:lmtp,unix:/run/doorstep/lmtp.sock,' /etc/doorstep/doorstep.toml >/tmp/doorstep.toml
setpriv --reuid doorstep --regid doorstep --clear-groups doorstep serve -c /tmp/doorstep.toml 2>/tmp/log &
server=$!
n=0
until [ -S /run/doorstep/control.sock ]; do
	n=$((n + 1)); [ $n -lt 100 ] || { cat /tmp/log; fail 'the server does not start'; }
	sleep 0.1
done
doorstep send --server unix:/run/doorstep/lmtp.sock --to postmaster@example.org || fail send
ls /var/lib/doorstep/mail/example.org/postmaster/Maildir/new/* || fail delivery
doorstep reload -c /tmp/doorstep.toml || fail reload
doorstep status || fail status
kill $server
wait $server || fail 'exit status of the server'
[ "$(stat -c %U:%a /var/lib/doorstep/state.db)" = doorstep:600 ] || fail 'the state is not kept'

echo '# mine' >>/etc/doorstep/doorstep.toml
dpkg -i "$2" </dev/null || fail upgrade
doorstep version | grep -q '^doorstep 1.1.0' || fail 'version after the upgrade'
grep -q '# mine' /etc/doorstep/doorstep.toml || fail 'the upgrade touched the configuration'
[ ! -e /etc/doorstep/doorstep.toml.dpkg-new ] || fail 'the upgrade left something'

dpkg -r doorstep || fail remove
grep -q '# mine' /etc/doorstep/doorstep.toml || fail 'the removal touched the configuration'
[ ! -e /usr/bin/doorstep ] || fail 'the program is still there'
dpkg -P doorstep || fail purge
[ ! -e /etc/doorstep ] || fail 'the configuration is still there'
[ ! -e /run/doorstep ] || fail 'the runtime directory is still there'
[ ! -e /var/lib/doorstep/state.db ] || fail 'the state is still there'
ls /var/lib/doorstep/mail/example.org/postmaster/Maildir/new/* || fail 'the purge removed mail'
echo PASSED
`

// buildPackages builds packages of these versions, in dir.
func buildPackages(t *testing.T, dir string, versions ...string) (packages []string) {
	t.Helper()
	for _, version := range versions {
		program := filepath.Join(dir, version, "doorstep")
		build(t, repository, version, program)
		run(t, repository, "dist/debian/build", program, dir)
		found, err := filepath.Glob(filepath.Join(dir, "doorstep_"+version+"_*.deb"))
		if err != nil || len(found) != 1 {
			t.Fatalf("%q, %v", found, err)
		}
		packages = append(packages, found[0])
	}
	return packages
}

// TestDebianPackage builds the package, and lives with it on a machine without systemd and on one with it.
func TestDebianPackage(t *testing.T) {
	peer.Need(t, "dpkg-deb", "overlay")
	dir := t.TempDir()
	packages := buildPackages(t, dir, "1.0.0", "1.1.0")
	again := filepath.Join(dir, "again")
	run(t, repository, "dist/debian/build", filepath.Join(dir, "1.0.0", "doorstep"), again)
	run(t, dir, "cmp", packages[0], filepath.Join(again, filepath.Base(packages[0])))

	t.Run("without systemd", func(t *testing.T) { testWithoutSystemd(t, packages) })
	t.Run("with systemd", func(t *testing.T) { testWithSystemd(t, packages) })
}

// testWithoutSystemd installs, upgrades, removes and purges the package, on an overlay over this machine.
func testWithoutSystemd(t *testing.T, packages []string) {
	machine := filepath.Join(t.TempDir(), "machine")
	if err := os.Mkdir(machine, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", "-euc", `
		mount -t tmpfs tmpfs "$1"
		mkdir "$1/upper" "$1/work" "$1/merged"
		mount -t overlay overlay -o lowerdir=/,upperdir="$1/upper",workdir="$1/work" "$1/merged"
		mkdir -p "$1/merged/proc" "$1/merged/dev"
		mount -t proc proc "$1/merged/proc"
		mount --rbind /dev "$1/merged/dev"
		mount -t tmpfs tmpfs "$1/merged/run"
		mount -t tmpfs tmpfs "$1/merged/tmp"
		cp "$2" "$1/merged/tmp/a.deb"
		cp "$3" "$1/merged/tmp/b.deb"
		exec chroot "$1/merged" env PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive sh -c "$4" sh /tmp/a.deb /tmp/b.deb`,
		"sh", machine, packages[0], packages[1], inside)
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "PASSED") {
		t.Errorf("%v\n%s", err, out)
	}
}
