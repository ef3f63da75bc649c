package peer

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// programs are those that Need knows, each with its Debian package.
var programs = map[string]struct {
	pkg  string
	path string // where it is when not in a directory for commands
	glob string // a pattern for where it is then
	file string // a pattern, for what is no program: a file that proves that it is there
	// aside is where install-peers unpacked it, below .cache/peers: the package cannot be
	// installed beside another one.
	aside  string
	root   bool // runs as root only, to change to users of its own
	mount  bool // needs a mount namespace of its own, which a container may forbid
	cgroup bool // needs a tree of control groups of its own, which a container may forbid too
}{
	"postfix":      {pkg: "postfix", root: true},
	"dovecot":      {pkg: "dovecot-imapd", root: true},
	"dovecot-lmtp": {pkg: "dovecot-lmtpd", path: "/usr/lib/dovecot/lmtp", root: true},
	"exim4":        {pkg: "exim4-daemon-light", aside: "exim/usr/sbin/exim4", root: true},
	"opensmtpd": {pkg: "opensmtpd", path: "/usr/sbin/smtpd", aside: "opensmtpd/usr/sbin/smtpd", root: true,
		mount: true},
	"courier-imap": {pkg: "courier-imap", path: "/usr/bin/imapd", aside: "courier-imap/usr/bin/imapd", root: true},
	"gam_server":   {pkg: "gamin", path: "/usr/libexec/gam_server", aside: "courier-imap/usr/libexec/gam_server"},
	"sendmail": {pkg: "sendmail-bin", path: "/usr/libexec/sendmail/sendmail",
		aside: "sendmail/usr/libexec/sendmail/sendmail", root: true, mount: true},
	"fetchmail":     {pkg: "fetchmail"},
	"getmail":       {pkg: "getmail6"},
	"haproxy":       {pkg: "haproxy"},
	"dovecot-pop3":  {pkg: "dovecot-pop3d", path: "/usr/lib/dovecot/pop3", root: true},
	"dovecot-mysql": {pkg: "dovecot-mysql", file: "/usr/lib/dovecot/modules/auth/libdriver_mysql.so"},
	"dovecot-pgsql": {pkg: "dovecot-pgsql", file: "/usr/lib/dovecot/modules/auth/libdriver_pgsql.so"},
	"dovecot-ldap":  {pkg: "dovecot-ldap", file: "/usr/lib/dovecot/modules/auth/libauthdb_ldap.so"},
	"dovecot-2.4": {pkg: "dovecot-imapd of Debian 13", path: "/nonexistent",
		aside: "dovecot-trixie/usr/sbin/dovecot", root: true, mount: true},
	"dovecot-sqlite": {pkg: "dovecot-sqlite", file: "/usr/lib/dovecot/modules/auth/libdriver_sqlite.so"},
	"deliverquota": {pkg: "maildrop", path: "/usr/sbin/deliverquota.maildrop",
		aside: "maildrop/usr/sbin/deliverquota.maildrop", root: true},
	"sieve-test": {pkg: "dovecot-sieve"},
	"sievec":     {pkg: "dovecot-sieve"},
	"swaks":      {pkg: "swaks"},
	"swaks-tls":  {pkg: "libnet-ssleay-perl", file: "/usr/lib/*/perl5/*/Net/SSLeay.pm"},
	"cyrus-sasl": {pkg: "libsasl2-modules", file: "/usr/lib/*/sasl2/libscram.so"},
	"python3":    {pkg: "python3"},
	"postgres":   {pkg: "postgresql", glob: "/usr/lib/postgresql/*/bin/postgres"},
	"initdb":     {pkg: "postgresql", glob: "/usr/lib/postgresql/*/bin/initdb"},
	"mariadbd":   {pkg: "mariadb-server"},

	"mariadb-install-db": {pkg: "mariadb-server"},
	"fail2ban":           {pkg: "fail2ban", path: "/usr/bin/fail2ban-regex"},
	"promtool":           {pkg: "prometheus", aside: "prometheus/usr/bin/promtool"},
	"chromium":           {pkg: "chromium"},
	"bash":               {pkg: "bash"},
	"dash":               {pkg: "dash"},
	"smtp-source":        {pkg: "postfix"},
	"sqlite3":            {pkg: "sqlite3"},
	"git":                {pkg: "git"},
	"man":                {pkg: "man-db"},
	"dpkg-deb":           {pkg: "dpkg"},
	// An overlay over the machine itself, to install packages on it without a trace.
	"overlay":         {pkg: "mount", path: "/bin/mount", root: true, mount: true},
	"systemd-analyze": {pkg: "systemd"},
	"systemd":         {pkg: "systemd", path: "/lib/systemd/systemd", root: true, mount: true, cgroup: true},
}

// Need skips the test, or fails it when CI=true, unless all programs are there and, where one
// of them can only run as root, the test does. Where a container forbids what one of them needs the
// test is skipped anyway.
func Need(tb testing.TB, names ...string) {
	tb.Helper()
	var lacking []string
	for _, name := range names {
		program := programs[name]
		if _, err := look(name); err != nil {
			lacking = append(lacking, name+" (Debian package "+program.pkg+")")
		} else if program.root && os.Geteuid() != 0 {
			lacking = append(lacking, "root, to run "+name)
		} else if program.mount && !canMount() {
			tb.Skipf("needs to mount, to run %s", name) // even in CI: nothing that is installed helps
			return
		} else if program.cgroup && !canGroup() {
			tb.Skipf("needs to make control groups, to run %s", name)
			return
		}
	}
	if len(lacking) == 0 {
		return
	}
	miss := tb.Skipf
	if os.Getenv("CI") == "true" {
		miss = tb.Fatalf
	}
	miss("needs %s", strings.Join(lacking, ", "))
}

// canMount reports whether programs can have mount namespaces, and mount something there.
func canMount() bool {
	cmd := exec.Command("mount", "--bind", "/", "/")
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	return cmd.Run() == nil
}

// canGroup reports whether programs can mount the tree of control groups, and make one of their own in it.
func canGroup() bool {
	cmd := exec.Command("sh", "-euc", `mount -t tmpfs tmpfs /mnt; mkdir /mnt/c; mount -t cgroup2 cgroup2 /mnt/c; mkdir "/mnt/c/doorstep-$$"; rmdir "/mnt/c/doorstep-$$"`)
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	return cmd.Run() == nil
}

// look finds a program, in the directories of system programs too, which are not in
// the PATH of every user.
func look(name string) (path string, err error) {
	if pattern := programs[name].file; pattern != "" {
		if found, err := filepath.Glob(pattern); err != nil || len(found) == 0 {
			return "", errors.Join(err, exec.ErrNotFound)
		}
		return pattern, nil
	}
	places := []string{name, "/usr/sbin/" + name, "/sbin/" + name, "/usr/local/sbin/" + name}
	if fixed := programs[name].path; fixed != "" {
		places = []string{fixed}
	}
	if aside := programs[name].aside; aside != "" {
		places = append(places, filepath.Join(moduleRoot(), ".cache", "peers", aside))
	}
	if pattern := programs[name].glob; pattern != "" {
		found, err := filepath.Glob(pattern)
		if err != nil {
			return "", err
		}
		places = append(places, found...)
	}
	for _, place := range places {
		if path, err = exec.LookPath(place); err == nil {
			return path, nil
		}
	}
	return "", err
}

// moduleRoot is the directory with go.mod in it that the test runs below, "." where there is none.
func moduleRoot() string {
	dir, err := os.Getwd()
	if err != nil {
		return "."
	}
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			return "."
		}
	}
}
