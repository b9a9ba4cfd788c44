package main

import (
	"fmt"
	"log"
	"unicode"
)

// fold maps a rune to the one that stands for all that differ from it by case
// only: the least of them, but lower case for A to Z (x/mod/zip's strToFold).
func fold(r rune) rune {
	for {
		r0 := r
		r = unicode.SimpleFold(r0)
		if r <= r0 {
			break
		}
	}
	if 'A' <= r && r <= 'Z' {
		r += 'a' - 'A'
	}
	return r
}

func printTable(name string) {
	switch name {
	case "letters":
		printLetters()
	case "fold":
		printFold()
	default:
		log.Fatalf("unknown table %q", name)
	}
}

// printLetters prints the ranges of all letters beyond ASCII.
func printLetters() {
	fmt.Printf("//! The letters of Unicode %s beyond ASCII. Printed by `oracle letters` (tests/oracle): do not edit.\n\n", unicode.Version)
	fmt.Print("/// First and last of each run, in order.\n#[rustfmt::skip]\npub(super) const LETTERS: &[(u32, u32)] = &[")
	n := 0
	for r := rune(0x80); r <= unicode.MaxRune; r++ {
		if !unicode.IsLetter(r) {
			continue
		}
		lo := r
		for unicode.IsLetter(r + 1) {
			r++
		}
		if n%6 == 0 {
			fmt.Print("\n   ")
		}
		n++
		fmt.Printf(" (0x%x, 0x%x),", lo, r)
	}
	fmt.Print("\n];\n")
}

// printFold prints the runs of letters beyond ASCII that fold to another
// letter by one distance.
func printFold() {
	fmt.Printf("//! Case folding of Unicode %s beyond ASCII. Printed by `oracle fold` (tests/oracle): do not edit.\n\n", unicode.Version)
	fmt.Print("/// First, last, step and distance of each run, in order.\n#[rustfmt::skip]\npub(super) const FOLDS: &[(u32, u32, u32, i32)] = &[")
	type run struct{ lo, hi, step, delta rune }
	var runs []run
	for r := rune(0x80); r <= unicode.MaxRune; r++ {
		delta := fold(r) - r
		if delta == 0 {
			continue
		}
		if k := len(runs) - 1; k >= 0 && runs[k].delta == delta {
			step := r - runs[k].hi
			if step <= 2 && (runs[k].step == 0 || runs[k].step == step) {
				runs[k].hi, runs[k].step = r, step
				continue
			}
		}
		runs = append(runs, run{r, r, 0, delta})
	}
	for i, u := range runs {
		if i%4 == 0 {
			fmt.Print("\n   ")
		}
		fmt.Printf(" (0x%x, 0x%x, %d, %d),", u.lo, u.hi, max(u.step, 1), u.delta)
	}
	fmt.Print("\n];\n")
}
