package config

import (
	"github.com/doorstep-mail/doorstep/config/internal/table"
)

// A Control is the [control] table.
type Control struct {
	// Socket is the path of the socket on which the server takes orders, absolute, or "".
	Socket string
}

var controlSection = table.Section[Control]{
	Name: "control",
	Doc: "The socket on which the running server takes orders: doorstep reload, doorstep upgrade, doorstep outbox " +
		"flush, and those of doorstep user, domain and alias to forget what they have changed.",
	Keys: []table.Key[Control]{
		{Name: "socket", Default: `"/run/doorstep/control.sock"`, Restart: true,
			Kind: table.Text("a path", setControlSocket),
			Doc: "Its path. Only root and the user who runs the server may use it. \"\" for none. Where it cannot be made " +
				"the server runs without."},
	},
}

// setControlSocket takes the path of the control socket; "" is none.
func setControlSocket(c *Control, v *table.Value, s string) error {
	if s == "" {
		c.Socket = ""
		return nil
	}
	path, err := socketPath(v, s)
	if err == nil {
		c.Socket = path
	}
	return err
}
