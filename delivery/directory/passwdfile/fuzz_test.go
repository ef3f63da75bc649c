package passwdfile

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/doorstep-mail/doorstep/delivery/directory/directorytest"
)

// FuzzFile reads any text as a file. Each account in it is one that mail may be delivered to, and the first line for an
// account counts, whatever follows.
func FuzzFile(f *testing.F) {
	f.Add("alice@dst.example:{PLAIN}x:1000:1000::/home/alice::userdb_quota_rule=*:storage=1G userdb_mail=maildir:~/Maildir")
	f.Add("bob::::::\nbob::5:5::/b::mail=maildir:/m/../../x:INDEX=/i nodelivery\n# comment\n\nx")
	f.Add("carol::root:root::~::quota_storage_size=8589934592GiB quota_rule=*:bytes=-1:messages=9999999999999999999")
	f.Fuzz(func(t *testing.T, text string) {
		d := &Directory{options: Options{Key: directorytest.Key, DefaultDomain: "dst.example", Complain: func(error) {}}}
		known := d.parse([]byte(text))
		for key, a := range known.byKey {
			if err := a.Check(); err != nil || a.Key != key || known.broken[key] != nil {
				t.Errorf("%q: %+v at %v, %v", text, a, key, err)
			}
		}
		twice := d.parse([]byte(text + "\n" + text))
		if diff := cmp.Diff(known.byKey, twice.byKey); diff != "" {
			t.Errorf("%q: another line for the same account changes it (-once +twice):\n%s", text, diff)
		}
	})
}
