package main

import (
	"bufio"
	"context"

	"wsss/cmd/wsss/licences"
)

func init() {
	register(command{name: "licenses", short: "licences of what the binary is built of, and of weights and libraries it fetches", run: runLicenses})
}

func runLicenses(_ context.Context, args []string) error {
	f := newFlags("licenses", `
wsss licenses lists the licences of the Go modules in this binary, of the
libraries of its engines and of the weights that it knows.

  wsss licenses           the list
  wsss licenses -full     the texts of the modules' licences`)
	full := f.Bool("full", false, "print the texts")
	if err := f.parse(args, 0); err != nil {
		return err
	}
	out := bufio.NewWriter(stdout)
	write := licences.WriteList
	if *full {
		write = licences.WriteTexts
	}
	if err := write(out); err != nil {
		return err
	}
	return out.Flush()
}
