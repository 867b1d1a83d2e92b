package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
)

// errNoNamespaces is returned where this process may not make network namespaces: that needs root and the ip command.
var errNoNamespaces = errors.New("no network namespaces: they need root and the ip command")

// networks counts the networks that were made.
var networks atomic.Int32

// network is network namespaces that reach each other through a bridge in one of their own. Nothing of it is seen from
// outside, and nothing outside from it.
type network struct {
	prefix string
	places int
}

// newNetwork makes n namespaces.
func newNetwork(n int) (*network, error) {
	if _, err := exec.LookPath("ip"); err != nil || os.Geteuid() != 0 {
		return nil, errNoNamespaces
	}
	w := &network{prefix: fmt.Sprintf("chaos%d-%d-", os.Getpid(), networks.Add(1))}
	hub := w.prefix + "hub"
	steps := []string{"netns add " + hub, "-n " + hub + " link add br0 type bridge", "-n " + hub + " link set br0 up"}
	for i := range n {
		ns := w.name(i)
		steps = append(steps, "netns add "+ns,
			fmt.Sprintf("-n %s link add p%d type veth peer name eth0 netns %s", hub, i, ns),
			fmt.Sprintf("-n %s link set p%d master br0 up", hub, i),
			fmt.Sprintf("-n %s addr add %s/24 dev eth0", ns, w.addr(i)),
			"-n "+ns+" link set eth0 up", "-n "+ns+" link set lo up")
	}
	w.places = n
	for _, s := range steps {
		if err := ip(s); err != nil {
			w.close()
			return nil, fmt.Errorf("%w: %w", errNoNamespaces, err)
		}
	}
	return w, nil
}

func (w *network) name(i int) string { return fmt.Sprint(w.prefix, i) }
func (w *network) addr(i int) string { return fmt.Sprintf("10.254.7.%d", i+1) }

// cut makes a black hole between two places, both ways: what they send each other goes to an address that nobody has.
// Connections stay open, and silent.
func (w *network) cut(a, b int) error {
	const nobody = "02:00:00:00:00:99"
	return w.both(a, b, "neigh replace %s lladdr "+nobody+" dev eth0 nud permanent")
}

// heal ends what cut began.
func (w *network) heal(a, b int) error { return w.both(a, b, "neigh del %s dev eth0") }

func (w *network) both(a, b int, step string) error {
	return errors.Join(ip("-n "+w.name(a)+" "+fmt.Sprintf(step, w.addr(b))), ip("-n "+w.name(b)+" "+fmt.Sprintf(step, w.addr(a))))
}

// close removes the namespaces; processes in them must have ended.
func (w *network) close() {
	for i := range w.places {
		_ = ip("netns del " + w.name(i))
	}
	_ = ip("netns del " + w.prefix + "hub")
}

func ip(args string) error {
	if out, err := exec.Command("ip", strings.Fields(args)...).CombinedOutput(); err != nil {
		return fmt.Errorf("ip %s: %w: %s", args, err, strings.TrimSpace(string(out)))
	}
	return nil
}
