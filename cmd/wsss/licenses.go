package main

import (
	"bufio"
	"context"

	"wsss/cmd/wsss/licences"
)

func runLicenses(_ context.Context, args []string) error {
	f := newFlags("licenses")
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
