package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/doorstep-mail/doorstep/config"
	"github.com/spf13/cobra"
)

// OrderPatience is how long the two ends wait for a line, and an order for its end.
const OrderPatience = 2 * time.Minute

// OrderVerb makes cmd a verb that sends the order of its name to the running server. It prints the answer, as text or
// as JSON; failed is the failure that the answer is, if it is one.
func OrderVerb[T fmt.Stringer](cmd *cobra.Command, failed func(T) error) *cobra.Command {
	file := ConfigFlag(cmd)
	socket := cmd.Flags().String("socket", "",
		"the control `socket` of the server; default: control.socket of the configuration")
	asJSON := cmd.Flags().Bool("json", false, "print the answer as JSON")
	cmd.Args = NoArguments
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		path, err := controlSocket(cmd, *socket, *file)
		if err != nil {
			return err
		}
		var answer T
		if err := give(cmd.Name(), path, &answer); err != nil {
			return err
		}
		if *asJSON {
			err = json.NewEncoder(cmd.OutOrStdout()).Encode(answer)
		} else {
			_, err = io.WriteString(cmd.OutOrStdout(), answer.String())
		}
		if err != nil {
			return err
		}
		return failed(answer)
	}
	return cmd
}

// controlSocket is the one of the flag, or else that of the configuration.
func controlSocket(cmd *cobra.Command, flag, file string) (string, error) {
	if flag != "" {
		return flag, nil
	}
	c, problems, err := config.Load(file)
	if err != nil {
		return "", Usage(err, "-c names the configuration of the server, --socket its control socket")
	}
	if c.Control.Socket == "" {
		PrintProblems(cmd.ErrOrStderr(), problems)
		return "", Usage(fmt.Errorf("%s: %s does not tell the control socket", cmd.Name(), file),
			`write [control] and socket = "/run/doorstep/control.sock", or give --socket`)
	}
	return c.Control.Socket, nil
}

// give sends an order to a control socket and reads the answer.
func give(order, path string, answer any) error {
	err := Order(path, order, answer)
	if network := (*net.OpError)(nil); errors.As(err, &network) && network.Op == "dial" {
		return Failed(fmt.Errorf("%s: no server answers: %w", order, err),
			"is it running, as another user perhaps? A server without a control socket reloads at SIGHUP and upgrades at "+
				"SIGUSR2")
	}
	if err != nil {
		return Failed(fmt.Errorf("%s: the server gave no answer: %w", order, err), "its log says why")
	}
	return nil
}

// Order sends an order to the server that listens on a control socket, and reads its answer. It is the error of
// net.Dial where no server does.
func Order(socket, order string, answer any) error {
	conn, err := net.DialTimeout("unix", socket, 10*time.Second)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(OrderPatience)); err != nil {
		return err
	}
	if _, err := io.WriteString(conn, order+"\n"); err != nil {
		return err
	}
	return json.NewDecoder(conn).Decode(answer)
}
