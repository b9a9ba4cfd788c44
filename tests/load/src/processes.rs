//! What a server's processes have used, from Linux's `/proc`: CPU time of all processes, their children and all threads,
//! and resident memory.
//!
//! CPU time is the scheduler's own count in nanoseconds (`task/*/schedstat`). It forgets threads and children that ended;
//! those are made good from `stat`, which does not, in ticks of 10 ms. Threads named [`INDEX`] are counted apart.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    str::FromStr,
    time::Duration,
};

/// The thread of modgate that feeds the audit index.
const INDEX: &str = "audit-index";

/// A reading of some processes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reading {
    tasks: BTreeMap<(u32, u32), Task>,
    /// By each process, its ended threads and its ended children.
    processes: BTreeMap<u32, Duration>,
}

#[derive(Clone, Debug)]
struct Task {
    on_cpu: Duration,
    index: bool,
}

/// CPU time between two readings.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize)]
pub(crate) struct Cpu {
    /// Seconds of everything but the index.
    pub(crate) serving: f64,
    /// Seconds of the index's threads.
    pub(crate) index: f64,
    /// Seconds, among `serving`, of threads and children that ended meanwhile.
    pub(crate) ended: f64,
}

impl Reading {
    /// Reads these processes and all their children.
    pub(crate) fn take(roots: &[u32]) -> Self {
        let mut reading = Self::default();
        for pid in family(roots) {
            let folder = format!("/proc/{pid}");
            if let Some(used) = time_in_stat(&folder, WITH_CHILDREN) {
                reading.processes.insert(pid, used);
            }
            for tid in numbered(&format!("{folder}/task")) {
                if let Some(task) = Task::read(&format!("{folder}/task/{tid}")) {
                    reading.tasks.insert((pid, tid), task);
                }
            }
        }
        reading
    }

    /// What was used since `before`.
    pub(crate) fn since(&self, before: &Self) -> Cpu {
        let (mut serving, mut index) = (Duration::ZERO, Duration::ZERO);
        for (key, task) in &self.tasks {
            let earlier = before.tasks.get(key).map_or(Duration::ZERO, |task| task.on_cpu);
            let sum = if task.index { &mut index } else { &mut serving };
            *sum += task.on_cpu.saturating_sub(earlier);
        }
        let ended = self.ended_since(before, serving + index);
        Cpu { serving: (serving + ended).as_secs_f64(), index: index.as_secs_f64(), ended: ended.as_secs_f64() }
    }

    /// Whether one of the threads feeds an index.
    pub(crate) fn has_index(&self) -> bool {
        self.tasks.values().any(|task| task.index)
    }

    /// What `stat` knows and the living threads do not account for, if it is more than two ticks.
    fn ended_since(&self, before: &Self, living: Duration) -> Duration {
        let whole: Duration = self
            .processes
            .iter()
            .map(|(pid, used)| used.saturating_sub(before.processes.get(pid).copied().unwrap_or_default()))
            .sum();
        let tick = Duration::from_secs(1) / ticks_per_second();
        let missing = whole.saturating_sub(living);
        if missing > tick * 2 * self.processes.len().max(1) as u32 { missing } else { Duration::ZERO }
    }
}

impl Task {
    fn read(folder: &str) -> Option<Self> {
        let index = fs::read_to_string(format!("{folder}/comm")).ok()?.trim_end() == INDEX;
        let on_cpu = match fs::read_to_string(format!("{folder}/schedstat")) {
            Ok(text) => Duration::from_nanos(parse(text.split(' ').next()?)?),
            Err(_) => time_in_stat(folder, ALONE)?,
        };
        Some(Self { on_cpu, index })
    }
}

/// Resident bytes of these processes and their children; pages that they share are counted for each.
pub(crate) fn resident(roots: &[u32]) -> u64 {
    family(roots).into_iter().filter_map(resident_of).sum()
}

fn resident_of(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(parse::<u64>(line.trim().trim_end_matches("kB").trim_end())? * 1024)
}

/// Bytes that these processes and their children had read from disk so far.
pub(crate) fn read_from_disk(roots: &[u32]) -> u64 {
    family(roots).into_iter().filter_map(read_by).sum()
}

fn read_by(pid: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/io")).ok()?;
    parse(text.lines().find_map(|line| line.strip_prefix("read_bytes: "))?)
}

/// CPU time of the whole machine that was not idle, in seconds, of all cores.
pub(crate) fn machine() -> Option<f64> {
    let text = fs::read_to_string("/proc/stat").ok()?;
    let fields: Vec<u64> = text.lines().next()?.split_ascii_whitespace().skip(1).map_while(parse).collect();
    // user, nice, system, idle, iowait, irq, softirq, steal; guests are within user and nice.
    let busy: u64 = [0, 1, 2, 5, 6, 7].iter().filter_map(|&field| fields.get(field)).sum();
    Some(busy as f64 / f64::from(ticks_per_second()))
}

/// Whether all of these processes are there.
pub(crate) fn alive(roots: &[u32]) -> bool {
    roots.iter().all(|pid| Path::new(&format!("/proc/{pid}")).exists())
}

/// These processes and, as far as the kernel tells, all that descend from them.
fn family(roots: &[u32]) -> BTreeSet<u32> {
    let (mut found, mut queue) = (BTreeSet::new(), roots.to_vec());
    while let Some(pid) = queue.pop() {
        if found.insert(pid) {
            for tid in numbered(&format!("/proc/{pid}/task")) {
                let children = fs::read_to_string(format!("/proc/{pid}/task/{tid}/children")).unwrap_or_default();
                queue.extend(children.split_ascii_whitespace().filter_map(parse::<u32>));
            }
        }
    }
    found
}

/// The entries of a directory whose names are numbers.
fn numbered(folder: &str) -> Vec<u32> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| parse(entry.file_name().to_str()?)).collect()
}

/// How many times to add up from a `stat` file: utime and stime, and also cutime and cstime, of children that ended.
const ALONE: usize = 2;
const WITH_CHILDREN: usize = 4;

fn time_in_stat(folder: &str, times: usize) -> Option<Duration> {
    let ticks = ticks_in(&fs::read_to_string(format!("{folder}/stat")).ok()?, times)?;
    Some(Duration::from_secs_f64(ticks as f64 / f64::from(ticks_per_second())))
}

/// Times of a `stat` line: fields 14 and following, the 12th after the name in parentheses.
fn ticks_in(stat: &str, times: usize) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(')')?;
    Some(fields.split_ascii_whitespace().skip(11).take(times).filter_map(parse::<u64>).sum())
}

fn ticks_per_second() -> u32 {
    #[cfg(target_os = "linux")]
    return u32::try_from(rustix::param::clock_ticks_per_second()).unwrap_or(100).max(1);
    #[cfg(not(target_os = "linux"))]
    100
}

fn parse<N: FromStr>(text: &str) -> Option<N> {
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(tasks: &[(u32, u64, bool)], process_ms: u64) -> Reading {
        let tasks = tasks.iter().map(|&(tid, ms, index)| ((1, tid), Task { on_cpu: Duration::from_millis(ms), index }));
        Reading { tasks: tasks.collect(), processes: [(1, Duration::from_millis(process_ms))].into() }
    }

    #[test]
    fn the_index_is_counted_apart() {
        let cpu =
            reading(&[(1, 250, false), (2, 500, true)], 750).since(&reading(&[(1, 50, false), (2, 100, true)], 150));
        assert_eq!(cpu, Cpu { serving: 0.2, index: 0.4, ended: 0.0 });
    }

    #[test]
    fn a_thread_that_ended_is_made_good() {
        let cpu = reading(&[(1, 100, false)], 600).since(&reading(&[(1, 0, false), (2, 100, false)], 100));
        assert_eq!(cpu, Cpu { serving: 0.5, index: 0.0, ended: 0.4 });
    }

    #[test]
    fn a_tick_or_two_is_no_ended_thread() {
        let cpu = reading(&[(1, 100, false)], 120).since(&reading(&[(1, 0, false)], 0));
        assert_eq!(cpu, Cpu { serving: 0.1, index: 0.0, ended: 0.0 });
    }

    #[test]
    fn times_are_found_behind_any_name() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194560 100 200 3 4 11 12 13 14 20 0 1 0 99 1000 10";
        assert_eq!((ticks_in(stat, ALONE), ticks_in(stat, WITH_CHILDREN)), (Some(23), Some(50)));
        assert_eq!(ticks_in("7 nothing", ALONE), None);
    }

    #[test]
    fn work_and_memory_of_this_process_are_seen() {
        let me = [std::process::id()];
        let before = Reading::take(&me);
        while Reading::take(&me).since(&before).serving < 0.02 {}
        assert!(resident(&me) > 100_000);
        assert!(machine().unwrap() > 0.0);
        assert!(alive(&me) && !alive(&[u32::MAX]));
    }
}
