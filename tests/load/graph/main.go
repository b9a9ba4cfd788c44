// Graph measures how long `go mod download` of a real module graph takes behind modgate.
//
//	graph tree DIR [-from LIST]   fetches the graph once and lays it out as a GOPROXY tree with a checksum database
//	graph measure DIR …           runs the pairs; `graph measure -h` has the options
//
// The run script beside this file builds what is needed and calls both. What is compared, and why so, is in
// docs/performance-graph.md.
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
	"runtime"
	"time"
)

func init() {
	// The servers are children of this thread: it must not end before the program does.
	runtime.LockOSThread()
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("graph: ")
	if len(os.Args) < 3 {
		log.Fatal("usage: graph tree DIR [-from LIST] | graph measure DIR [options]")
	}
	var err error
	switch command, dir, rest := os.Args[1], os.Args[2], os.Args[3:]; command {
	case "tree":
		err = treeCommand(dir, rest)
	case "measure":
		err = measureCommand(dir, rest)
	default:
		err = fmt.Errorf("unknown command `%s`", command)
	}
	if err != nil {
		log.Fatal(err)
	}
}

func treeCommand(dir string, arguments []string) error {
	flags := flag.NewFlagSet("graph tree DIR", flag.ExitOnError)
	template := flags.String("template", "module", "directory of the go.mod and main.go that name the graph")
	from := flags.String("from", "", "GOPROXY list to fetch from; default: what the go command uses")
	flags.Parse(arguments)
	tree, err := makeTree(dir, *template, *from)
	if err != nil {
		return err
	}
	fmt.Println(tree)
	return nil
}

func measureCommand(dir string, arguments []string) error {
	flags := flag.NewFlagSet("graph measure DIR", flag.ExitOnError)
	var plan plan
	flags.StringVar(&plan.modgate, "modgate", "", "the built modgate")
	flags.StringVar(&plan.nginxConf, "nginx-conf", "", "the configuration of the yardstick")
	flags.StringVar(&plan.work, "work", "", "directory for stores and module caches, emptied as it goes")
	flags.IntVar(&plan.cold, "cold", 7, "pairs of modgate with an empty store and the upstream asked directly")
	flags.IntVar(&plan.warm, "warm", 7, "pairs of modgate with a full store and nginx")
	flags.IntVar(&plan.real, "real", 0, "pairs of modgate with an empty store and the real upstream, both over the network")
	flags.DurationVar(&plan.link.delay, "delay", 30*time.Millisecond, "what the upstream waits before each answer")
	flags.Float64Var(&plan.link.rate, "rate", 20e6, "bytes a second that all answers of the upstream share")
	flags.BoolVar(&plan.sums, "go-sum", false, "clients have a go.sum, so that they ask no checksum database")
	flags.BoolVar(&plan.json, "json", false, "print the report as JSON")
	flags.Parse(arguments)
	tree, err := openTree(dir)
	if err != nil {
		return err
	}
	report, err := plan.run(tree)
	if err != nil {
		return err
	}
	return report.print(os.Stdout, plan.json)
}
