//! Logs: text for a person at a terminal, one JSON object a line for everybody else, always on stderr.

use serde::Serialize;
use std::io::IsTerminal;
use std::panic::PanicHookInfo;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

/// How a line is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// For reading; coloured only on a terminal, and never if `NO_COLOR` is set.
    Text,
    /// One object a line: `timestamp`, `level`, `target`, `message` and the event's own fields at the top level.
    Json,
}

impl Format {
    /// Text if stderr is a terminal, JSON otherwise.
    pub fn by_terminal() -> Self {
        if std::io::stderr().is_terminal() { Self::Text } else { Self::Json }
    }
}

/// What to log and how.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    /// How a line is written.
    pub format: Format,
    /// A level (`info`), or directives as of `EnvFilter` (`info,modgate::source=debug`).
    pub level: String,
}

/// Why logging cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The level is neither a level nor a list of directives.
    #[error("`{level}` is no log level: {cause}")]
    Level {
        /// As written.
        level: String,
        /// What the parser says.
        cause: String,
    },
    /// A subscriber is there already.
    #[error("logging is set up already")]
    Repeated,
}

/// Checks a level or a list of directives.
pub fn check_level(level: &str) -> Result<(), LogError> {
    filter(level).map(drop)
}

/// Sets up logging for the process; panics are logged as errors from then on.
pub fn install(settings: &Settings) -> Result<(), LogError> {
    let stderr = std::io::stderr();
    let colour = stderr.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let subscriber = subscriber(settings, colour, std::io::stderr)?;
    tracing_subscriber::util::SubscriberInitExt::try_init(subscriber).map_err(|_| LogError::Repeated)?;
    std::panic::set_hook(Box::new(log_panic));
    Ok(())
}

fn filter(level: &str) -> Result<EnvFilter, LogError> {
    let error = |cause: String| LogError::Level { level: level.to_owned(), cause };
    if level.trim().is_empty() {
        return Err(error("it is empty".to_owned()));
    }
    // A bare word that is no level would be taken for the name of a target, and nothing else be logged.
    let known = |word: &str| word.contains(['=', '[', ':']) || word.parse::<LevelFilter>().is_ok();
    if let Some(word) = level.split(',').map(str::trim).find(|word| !known(word)) {
        return Err(error(format!("`{word}` is no level")));
    }
    EnvFilter::builder().parse(level).map_err(|cause| error(cause.to_string()))
}

/// What [`install`] installs, with a writer of the caller's.
fn subscriber<W>(
    settings: &Settings,
    colour: bool,
    writer: W,
) -> Result<Box<dyn tracing::Subscriber + Send + Sync>, LogError>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let builder =
        tracing_subscriber::fmt().with_env_filter(filter(&settings.level)?).with_ansi(colour).with_writer(writer);
    Ok(match settings.format {
        Format::Text => Box::new(builder.finish()),
        Format::Json => Box::new(builder.json().flatten_event(true).with_span_list(false).finish()),
    })
}

fn log_panic(panic: &PanicHookInfo<'_>) {
    let message = panic.payload_as_str().unwrap_or("no message");
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    tracing::error!(place, "panic: {message}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::REQUEST_ID;
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn logged(format: Format, level: &str, log: impl FnOnce()) -> String {
        let sink = Sink::default();
        let writer = sink.clone();
        let settings = Settings { format, level: level.to_owned() };
        let subscriber = subscriber(&settings, false, move || writer.clone()).unwrap();
        tracing::subscriber::with_default(subscriber, log);
        let bytes = sink.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_json_line_carries_the_request_id_at_the_top() {
        let text = logged(Format::Json, "info", || tracing::warn!(request_id = "r1", status = 403, "denied"));
        let line: serde_json::Value = serde_json::from_str(text.trim_end()).unwrap();
        assert_eq!(line[REQUEST_ID], "r1");
        assert_eq!(line["status"], 403);
        assert_eq!(line["message"], "denied");
        assert_eq!(line["level"], "WARN");
    }

    #[test]
    fn what_is_below_the_level_is_left_out() {
        assert_eq!(logged(Format::Text, "warn", || tracing::info!("quiet")), "");
        assert!(logged(Format::Text, "warn", || tracing::warn!("loud")).contains("loud"));
        assert!(!logged(Format::Text, "info", || tracing::info!("plain")).contains('\x1b'));
    }

    #[test]
    fn a_level_is_checked() {
        for good in ["info", "warn,modgate=debug", "off"] {
            assert!(check_level(good).is_ok(), "{good}");
        }
        for bad in ["", "loud", "info,loud", "modgate=loud", "=,="] {
            assert!(check_level(bad).is_err(), "{bad}");
        }
    }
}
