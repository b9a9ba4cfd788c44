package main

import (
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// A plan is what is to be measured, and with what.
type plan struct {
	modgate, nginxConf, work string
	cold, warm, real         int
	link                     link
	sums, json               bool

	tree     *tree
	identity *identity
	upstream string
}

// A side is one of the two servers of a pair, ready for a client.
type side struct {
	url, token, database string
	// None for the upstream, which is a part of this program.
	process *process
}

func (p *plan) run(t *tree) (*report, error) {
	if p.work == "" || p.modgate == "" {
		return nil, fmt.Errorf("-work and -modgate are needed")
	}
	if err := p.prepare(t); err != nil {
		return nil, err
	}
	defer os.RemoveAll(p.work)
	r := &report{Tree: t.extent, Machine: thisMachine(), Delay: p.link.delay.String(), BytesPerSecond: p.link.rate, GoSum: p.sums}
	for _, part := range []struct {
		measure func(int) (*comparison, error)
		count   int
	}{{p.measureCold, p.cold}, {p.measureWarm, p.warm}, {p.measureReal, p.real}} {
		if part.count == 0 {
			continue
		}
		made, err := part.measure(part.count)
		if err != nil {
			return nil, err
		}
		r.Comparisons = append(r.Comparisons, made)
	}
	return r, nil
}

// prepare makes what all pairs share: the certificate and the slow upstream.
func (p *plan) prepare(t *tree) (err error) {
	p.tree = t
	if p.work, err = filepath.Abs(p.work); err != nil {
		return err
	}
	if err = os.RemoveAll(p.work); err != nil {
		return err
	}
	if p.identity, err = newIdentity(p.work); err != nil {
		return err
	}
	p.upstream, err = serveTree(t, p.identity, &p.link)
	return err
}

func (p *plan) gatewayDir() string { return filepath.Join(p.work, "gateway") }

// measureCold compares a gateway that holds nothing with its upstream.
func (p *plan) measureCold(pairs int) (*comparison, error) {
	direct := side{url: p.upstream, database: p.tree.key}
	made := &comparison{Name: "cold", Reference: "upstream asked directly"}
	return made, p.pairs(made, pairs, func() (run, error) { return p.download(direct) }, func() (run, error) {
		return p.throughEmpty(p.upstream, p.tree.key)
	})
}

// measureReal does the same over the network, with the upstream and the checksum database that the go command would ask.
func (p *plan) measureReal(pairs int) (*comparison, error) {
	made := &comparison{Name: "cold, real upstream", Reference: "real upstream asked directly"}
	return made, p.pairs(made, pairs, func() (run, error) { return p.download(side{}) }, func() (run, error) {
		return p.throughEmpty("", "")
	})
}

// throughEmpty is a download through a gateway that is new.
func (p *plan) throughEmpty(upstream, database string) (run, error) {
	g, err := startGateway(p.modgate, p.gatewayDir(), p.identity, upstream, database)
	if err != nil {
		return run{}, err
	}
	done, err := p.download(side{g.url, g.token, database, g.process})
	if err != nil {
		text, _ := os.ReadFile(g.log)
		g.stop()
		return run{}, fmt.Errorf("%w\n%s", err, last(string(text), 20))
	}
	return done, g.discard()
}

// measureWarm compares a gateway that holds everything with nginx.
func (p *plan) measureWarm(pairs int) (*comparison, error) {
	g, err := startGateway(p.modgate, p.gatewayDir(), p.identity, p.upstream, p.tree.key)
	if err != nil {
		return nil, err
	}
	defer g.discard()
	n, err := startNginx(p.nginxConf, filepath.Join(p.work, "nginx"), p.tree, p.identity, g.token)
	if err != nil {
		return nil, err
	}
	defer n.stop()
	through := side{g.url, g.token, p.tree.key, g.process}
	if _, err := p.download(through); err != nil {
		return nil, err
	}
	beside := side{n.url, g.token, p.tree.key, n.process}
	made := &comparison{Name: "warm", Reference: "nginx"}
	return made, p.pairs(made, pairs, func() (run, error) { return p.download(beside) }, func() (run, error) {
		return p.download(through)
	})
}

// pairs runs both in turn; who is first changes from pair to pair, so that neither has the better place.
func (p *plan) pairs(made *comparison, count int, reference, subject func() (run, error)) error {
	for n := range count {
		var done pair
		sides := []func() error{
			func() (err error) { done.Reference, err = reference(); return err },
			func() (err error) { done.Modgate, err = subject(); return err },
		}
		if n%2 == 1 {
			sides[0], sides[1] = sides[1], sides[0]
		}
		for _, side := range sides {
			if err := side(); err != nil {
				return fmt.Errorf("%s: %w", made.Name, err)
			}
		}
		done.Ratio = done.Modgate.Seconds / done.Reference.Seconds
		made.add(done)
		if err := made.isEven(); err != nil {
			return err
		}
		log.Printf("%s, pair %d: %s %.2f s, modgate %.2f s, ratio %.3f", made.Name, n+1, made.Reference,
			done.Reference.Seconds, done.Modgate.Seconds, done.Ratio)
	}
	return nil
}

// download is one run of a new client.
func (p *plan) download(s side) (run, error) {
	c, err := newClient(filepath.Join(p.work, "client"), p.tree, p.sums)
	if err != nil {
		return run{}, err
	}
	if s.url != "" {
		netrc := filepath.Join(p.work, "netrc")
		line := fmt.Sprintf("machine %s login graph password %s\n", strings.TrimPrefix(s.url, "https://"), s.token)
		if err := os.WriteFile(netrc, []byte(line), 0o600); err != nil {
			return run{}, err
		}
		c.set("GOPROXY", s.url)
		c.set("NETRC", netrc)
		c.set("SSL_CERT_FILE", p.identity.authority)
	}
	if s.database != "" {
		c.set("GOSUMDB", s.database)
	}
	requests, bytes, cpu := p.link.requests.Load(), p.link.bytes.Load(), s.cpu()
	took, err := c.download(p.tree.extent)
	done := run{Seconds: took.Seconds(), ServerCPU: (s.cpu() - cpu).Seconds()}
	done.UpstreamRequests, done.UpstreamBytes = p.link.requests.Load()-requests, p.link.bytes.Load()-bytes
	return done, err
}

func (s *side) cpu() time.Duration {
	if s.process == nil {
		return 0
	}
	return s.process.cpu()
}
