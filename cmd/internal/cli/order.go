package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/doorstep-mail/doorstep/config"
	"github.com/spf13/cobra"
)

// OrderPatience is how long the two ends wait for a line, and an order for its end.
const OrderPatience = 2 * time.Minute

// An Order is what the flags of a verb say that gives an order.
type Order struct {
	config, socket *string
	json           *bool
}

func OrderFlags(cmd *cobra.Command) *Order {
	return &Order{
		config: ConfigFlag(cmd),
		socket: cmd.Flags().String("socket", "",
			"the control `socket` of the server; default: control.socket of the configuration"),
		json: cmd.Flags().Bool("json", false, "print the answer as JSON"),
	}
}

// Give gives an order to the running server and reads its answer.
func (o *Order) Give(order string, answer any, stderr io.Writer) error {
	path := *o.socket
	if path == "" {
		c, problems, err := config.Load(*o.config)
		if err != nil {
			return Usage(err, "-c names the configuration of the server, --socket its control socket")
		}
		if path = c.Control.Socket; path == "" {
			PrintProblems(stderr, problems)
			return Usage(fmt.Errorf("%s: %s does not tell the control socket", order, *o.config),
				`write [control] and socket = "/run/doorstep/control.sock", or give --socket`)
		}
	}
	conn, err := net.DialTimeout("unix", path, 10*time.Second)
	if err != nil {
		return Failed(fmt.Errorf("%s: no server answers: %w", order, err),
			"is it running, as another user perhaps? A server without a control socket reloads at SIGHUP and upgrades at "+
				"SIGUSR2")
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(OrderPatience)); err != nil {
		return Failed(err, "")
	}
	if _, err := io.WriteString(conn, order+"\n"); err != nil {
		return Failed(fmt.Errorf("%s: %w", order, err), "")
	}
	if err := json.NewDecoder(conn).Decode(answer); err != nil {
		return Failed(fmt.Errorf("%s: the server gave no answer: %w", order, err), "its log says why")
	}
	return nil
}

// Print prints an answer as JSON where that is wanted, and else by text.
func (o *Order) Print(w io.Writer, answer any, text func() string) error {
	if *o.json {
		return json.NewEncoder(w).Encode(answer)
	}
	_, err := io.WriteString(w, text())
	return err
}
