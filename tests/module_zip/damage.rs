//! Damage: what no table thinks of.

use super::{at, compare, directory, file, gomod, good_entries};
use crate::dice::Dice;
use crate::zip_forge::{Ending, Entry, archive};

/// Damage of every kind: a byte or a few changed, a piece cut out, doubled, or moved.
#[test]
fn damaged_zips_are_judged_alike() {
    let mut dice = Dice::new(1);
    let sources = [
        archive(&good_entries(), &Ending::default()),
        archive(&[directory("d/"), gomod(), file("d/x").described(&[0x0807_4b50, 1, 2, 3])], &Ending::default()),
        archive(
            &good_entries().into_iter().map(|e| e.with(|e| e.zip64 = true)).collect::<Vec<_>>(),
            &Ending { zip64: true, comment: b"c".to_vec(), ..Ending::default() },
        ),
        archive(&[gomod(), Entry::file(at("x"), (0..=255).collect::<Vec<u8>>().repeat(9))], &Ending::default()),
    ];
    let zips: Vec<Vec<u8>> = (0..3000).map(|_| damage(&mut dice, &sources)).collect();
    let zips: Vec<&[u8]> = zips.iter().map(Vec::as_slice).collect();
    let verdicts = compare(&zips, |index| format!("damaged zip {index}: {}", zips[index].escape_ascii()));
    let accepted = verdicts.iter().filter(|&&accepted| accepted).count();
    assert!((30..2900).contains(&accepted), "the damage is neither all fatal nor all harmless: {accepted}");
}

fn damage(dice: &mut Dice, sources: &[Vec<u8>]) -> Vec<u8> {
    let mut zip = sources[dice.below(sources.len())].clone();
    for _ in 0..=dice.below(3) {
        let at = dice.below(zip.len());
        let length = 1 + dice.below((zip.len() - at).min(40));
        match dice.below(6) {
            0 | 1 => zip[at] ^= 1 << dice.below(8),
            2 => zip[at] = dice.next() as u8,
            3 => zip[at] = if dice.below(2) == 0 { 0xff } else { 0 },
            4 if length < zip.len() => drop(zip.drain(at..at + length)),
            _ => {
                let piece = zip[at..at + length].to_vec();
                let to = dice.below(zip.len());
                zip.splice(to..to, piece);
            }
        }
    }
    zip
}
