package address_test

import (
	"fmt"

	"github.com/doorstep-mail/doorstep/lmtp/address"
)

// A recipient on the way from the command line to the file system: two spellings, one
// mailbox.
func Example() {
	policy := address.LocalPolicy{Fold: true}
	for _, argument := range []string{
		"<JOS\u00c9+lists@B\u00dcCHER.example> NOTIFY=NEVER",
		"<\"jose\u0301+lists\"@xn--bcher-kva.example>",
	} {
		path, _, err := address.ScanPath(argument)
		if err != nil {
			fmt.Println(err)
			continue
		}
		to, err := address.Parser{UTF8: true}.ForwardPath(path)
		if err != nil {
			fmt.Println(err)
			continue
		}
		user, detail, _ := address.SplitDetail(to.Local, "+")
		local, _ := policy.Key(user)
		domain, _ := address.DomainKey(to.Domain)
		fmt.Println(domain, address.DiskName(local), detail)
		fmt.Println(to.Log())
	}
	// Output:
	// xn--bcher-kva.example josé lists
	// JOSÉ+lists@bücher.example
	// xn--bcher-kva.example josé lists
	// josé+lists@bücher.example
}
