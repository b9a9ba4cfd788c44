//! Device authorization (RFC 8628): a code is shown here and approved in a browser anywhere.

use crate::cli::audit::printable;
use crate::cli::gateway_client::{GatewayClient, GatewayError};
use crate::cli::oauth::{DeviceGrant, GrantError, Granted};
use crate::cli::terminal::Failure;
use auth::is_confidential;
use indicatif::{ProgressBar, ProgressStyle};
use std::{
    io::{self, Write},
    time::Duration,
};
use tokio::time::{Instant, sleep};

/// A second. Tests have shorter ones.
pub(super) const SECOND: Duration = Duration::from_secs(1);
/// By how many seconds `slow_down` lengthens the interval (RFC 8628, section 3.5).
const SLOWER: u32 = 5;

/// Shows the code and waits until somebody has approved or denied it.
pub(super) async fn grant(
    gateway: &GatewayClient,
    scope: Option<&str>,
    open: &dyn Fn(&str),
    second: Duration,
) -> Result<Granted, Failure> {
    let device = DeviceGrant::begin(gateway, scope).await.map_err(refused)?;
    show(&device, open)?;
    let spinner = ProgressBar::new_spinner().with_message("waiting for the approval");
    // Hidden where stderr is no terminal.
    spinner.set_style(ProgressStyle::default_spinner());
    spinner.enable_steady_tick(Duration::from_millis(200));
    let granted = wait(gateway, &device, second).await;
    spinner.finish_and_clear();
    granted.map_err(refused)
}

async fn wait(gateway: &GatewayClient, device: &DeviceGrant, second: Duration) -> Result<Granted, GrantError> {
    let scaled = |time: Duration| second.saturating_mul(u32::try_from(time.as_secs()).unwrap_or(u32::MAX));
    let deadline = Instant::now().checked_add(scaled(device.lifetime()));
    let mut interval = scaled(device.interval());
    loop {
        sleep(interval).await;
        let error = match device.poll(gateway).await {
            Ok(granted) => return Ok(granted),
            Err(error) => error,
        };
        let passing = match &error {
            // A gateway that restarts, or a laptop that changes its network.
            GrantError::Gateway(GatewayError::Unreachable { .. }) => true,
            GrantError::Gateway(GatewayError::Refused { status, .. }) => *status >= 500 || *status == 429,
            error => error.is("slow_down"),
        };
        if passing {
            interval = interval.saturating_add(second.saturating_mul(SLOWER));
        } else if !error.is("authorization_pending") {
            return Err(error);
        }
        if deadline.is_none_or(|deadline| Instant::now() >= deadline) {
            return Err(GrantError::Denied { code: "expired_token".into(), description: None });
        }
    }
}

/// What the person needs. The URL is the gateway's word, so it is looked at before anybody is sent there.
fn show(device: &DeviceGrant, open: &dyn Fn(&str)) -> Result<(), Failure> {
    let is_page = |text: &&str| url::Url::parse(text).is_ok_and(|url| is_confidential(&url));
    let Some(page) = Some(device.verification_uri.as_str()).filter(is_page) else {
        return Err(Failure::new("the gateway names no page of https for the approval"));
    };
    let whole = device.verification_uri_complete.as_deref().filter(is_page);
    let mut text = format!("Open {} and enter the code\n\n    {}\n\n", printable(page), printable(&device.user_code));
    if let Some(whole) = whole {
        text += &format!("or open {}\n", printable(whole));
    }
    // If stderr is gone, nobody is there to be told.
    let _ = io::stderr().write_all(text.as_bytes());
    open(whole.unwrap_or(page));
    Ok(())
}

pub(super) fn refused(error: GrantError) -> Failure {
    match error {
        GrantError::Gateway(GatewayError::Refused { status: 404, base, .. }) => {
            Failure::new(format!("{base} has no login of its own"))
                .hint("ask its operators for a token, then: modgate login --token-stdin".to_owned())
        }
        GrantError::Gateway(error) => error.into(),
        denied @ GrantError::Denied { .. } => Failure::new(&denied),
    }
}
