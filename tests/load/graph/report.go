package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
)

// A report is what was measured. Its JSON form is a stable interface.
type report struct {
	Machine        machine       `json:"machine"`
	Tree           extent        `json:"tree"`
	Delay          string        `json:"delay"`
	BytesPerSecond float64       `json:"bytes_per_second"`
	GoSum          bool          `json:"go_sum"`
	Comparisons    []*comparison `json:"comparisons"`
}

// A machine is where it was measured.
type machine struct {
	Cores  int    `json:"cores"`
	Go     string `json:"go"`
	Kernel string `json:"kernel"`
}

// A comparison is a row of pairs, and the median, least and greatest ratio of modgate's time to the reference's.
type comparison struct {
	Name      string  `json:"name"`
	Reference string  `json:"reference"`
	Median    float64 `json:"median"`
	Min       float64 `json:"min"`
	Max       float64 `json:"max"`
	Pairs     []pair  `json:"pairs"`
}

// A pair is two runs, one right after the other.
type pair struct {
	Reference run     `json:"reference"`
	Modgate   run     `json:"modgate"`
	Ratio     float64 `json:"ratio"`
}

// A run is one `go mod download`.
type run struct {
	Seconds float64 `json:"seconds"`
	// Of the server that the client asked; 0 for an upstream.
	ServerCPU float64 `json:"server_cpu_seconds"`
	// What reached the upstream of the pairs.
	UpstreamRequests int64 `json:"upstream_requests"`
	UpstreamBytes    int64 `json:"upstream_bytes"`
}

func (c *comparison) add(done pair) {
	c.Pairs = append(c.Pairs, done)
	var ratios []float64
	for _, pair := range c.Pairs {
		ratios = append(ratios, pair.Ratio)
	}
	slices.Sort(ratios)
	middle := len(ratios) / 2
	c.Min, c.Max, c.Median = ratios[0], ratios[len(ratios)-1], ratios[middle]
	if len(ratios)%2 == 0 {
		c.Median = (ratios[middle-1] + ratios[middle]) / 2
	}
}

// isEven refuses runs that did not do the same as those of the first pair: then their times say nothing. A few requests are
// left to chance, for two may need the same tile at the same moment.
func (c *comparison) isEven() error {
	first, now := c.Pairs[0], c.Pairs[len(c.Pairs)-1]
	for _, side := range []struct {
		name       string
		first, now run
	}{{c.Reference, first.Reference, now.Reference}, {"modgate", first.Modgate, now.Modgate}} {
		if more := side.now.UpstreamRequests - side.first.UpstreamRequests; max(more, -more) > 10 {
			return fmt.Errorf("%s: %d requests reached the upstream with %s, and %d in the first pair", c.Name,
				side.now.UpstreamRequests, side.name, side.first.UpstreamRequests)
		}
	}
	return nil
}

func (r *report) print(to io.Writer, asJSON bool) error {
	if asJSON {
		encoder := json.NewEncoder(to)
		encoder.SetIndent("", "  ")
		return encoder.Encode(r)
	}
	fmt.Fprintf(to, "%d zips (%.0f MB) and %d go.mod files; the upstream takes %s a request and sends %.0f MB/s\n", r.Tree.Zips,
		float64(r.Tree.ZipBytes)/1e6, r.Tree.Gomods, r.Delay, r.BytesPerSecond/1e6)
	fmt.Fprintf(to, "%d cores, %s, Linux %s\n\n", r.Machine.Cores, r.Machine.Go, r.Machine.Kernel)
	table := tabwriter.NewWriter(to, 0, 0, 1, ' ', 0)
	fmt.Fprintln(table, "| run\t| pairs\t| beside\t| its median\t| modgate's\t| ratio: median\t| min–max\t| upstream requests\t|")
	fmt.Fprintln(table, "|---\t|---\t|---\t|---\t|---\t|---\t|---\t|---\t|")
	for _, c := range r.Comparisons {
		reference := c.median(func(p pair) float64 { return p.Reference.Seconds })
		modgate := c.median(func(p pair) float64 { return p.Modgate.Seconds })
		fmt.Fprintf(table, "| %s\t| %d\t| %s\t| %.2f s\t| %.2f s\t| %.3f\t| %.3f–%.3f\t| %d, %d\t|\n", c.Name, len(c.Pairs),
			c.Reference, reference, modgate, c.Median, c.Min, c.Max, c.Pairs[0].Reference.UpstreamRequests,
			c.Pairs[0].Modgate.UpstreamRequests)
	}
	return table.Flush()
}

// median is the upper median of something of the pairs.
func (c *comparison) median(of func(pair) float64) float64 {
	var values []float64
	for _, pair := range c.Pairs {
		values = append(values, of(pair))
	}
	slices.Sort(values)
	return values[len(values)/2]
}

func thisMachine() machine {
	kernel, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	return machine{runtime.NumCPU(), runtime.Version(), strings.TrimSpace(string(kernel))}
}
