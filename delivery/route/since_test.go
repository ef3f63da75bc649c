package route

import (
	"fmt"
	"testing"
	"time"

	"github.com/doorstep-mail/doorstep/delivery/directory"
	"github.com/doorstep-mail/doorstep/lmtp/address"
)

func TestRefuseOwner(t *testing.T) {
	owner := time.Date(2015, 6, 1, 12, 0, 0, 0, time.UTC)
	since := &directory.Account{OwnerSince: owner}
	for i, tt := range []struct {
		account *directory.Account
		local   string
		at      time.Time
		want    error
	}{
		{since, "u1", time.Time{}, nil},
		{since, "u1", owner, nil},
		{since, "u1", owner.Add(time.Second), nil},
		{since, "u1", owner.Add(-time.Second), errNewOwner},
		{since, "Abuse", owner.Add(-time.Second), nil},
		{since, "abuses", owner.Add(-time.Second), errNewOwner},
		{&directory.Account{}, "u1", owner, errUnknownOwner},
		{&directory.Account{}, "u1", time.Time{}, nil},
		{&directory.Account{}, "postmaster", owner, nil},
	} {
		t.Run(fmt.Sprint("RRVS-01 ", i), func(t *testing.T) {
			if got := RefuseOwner(tt.account, address.Address{Local: tt.local}, tt.at); got != tt.want {
				t.Errorf("%v, want %v", got, tt.want)
			}
		})
	}
}
