//! A browser without a screen: keeps cookies, sends forms, and follows nothing by itself.
//!
//! Cookies are kept by name and path for all ports of a host, as browsers keep them.

use reqwest::{Certificate, Client, Method, RequestBuilder, header::HeaderMap, redirect::Policy};
use serde_json::Value;
use std::{collections::BTreeMap, path::Path, sync::Arc};
use tokio::runtime::{Builder, Runtime};
use url::{Url, form_urlencoded};

/// A client with cookies of its own; a clone has the same cookies to begin with.
#[derive(Clone)]
pub(crate) struct WebClient {
    client: Client,
    runtime: Arc<Runtime>,
    /// By name and path.
    pub(crate) cookies: BTreeMap<(String, String), String>,
}

/// An answer to it.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) url: Url,
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl WebClient {
    /// Of somebody who was nowhere before.
    pub(crate) fn new() -> Self {
        Self::trusting(None)
    }

    /// One that trusts a certificate file, too.
    pub(crate) fn trusting(certificate: Option<&Path>) -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let mut builder = Client::builder().redirect(Policy::none()).no_proxy();
        if let Some(file) = certificate {
            let pem = std::fs::read(file).unwrap();
            builder = builder.tls_certs_merge(Certificate::from_pem_bundle(&pem).unwrap());
        }
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        Self { client: builder.build().unwrap(), runtime: Arc::new(runtime), cookies: BTreeMap::new() }
    }

    /// Gets a page.
    pub(crate) fn get(&mut self, url: &str) -> Answer {
        self.send(self.client.get(url), url)
    }

    /// Sends a form.
    pub(crate) fn post(&mut self, url: &str, form: &[(&str, &str)]) -> Answer {
        self.post_with(url, form, &[])
    }

    /// Sends a form with more headers.
    pub(crate) fn post_with(&mut self, url: &str, form: &[(&str, &str)], headers: &[(&str, &str)]) -> Answer {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let mut request = self.client.post(url).header("content-type", "application/x-www-form-urlencoded").body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request, url)
    }

    /// Sends JSON.
    pub(crate) fn post_json(&mut self, url: &str, body: &Value) -> Answer {
        let request = self.client.post(url).header("content-type", "application/json").body(body.to_string());
        self.send(request, url)
    }

    /// Sends a request without a body, with headers.
    pub(crate) fn request(&mut self, method: Method, url: &str, headers: &[(&str, &str)]) -> Answer {
        let request = headers
            .iter()
            .fold(self.client.request(method, url), |request, (name, value)| request.header(*name, *value));
        self.send(request, url)
    }

    /// The value of a cookie, whatever its path.
    pub(crate) fn cookie(&self, name: &str) -> Option<&str> {
        self.cookies.iter().find(|((own, _), _)| own == name).map(|(_, value)| value.as_str())
    }

    fn send(&mut self, mut request: RequestBuilder, url: &str) -> Answer {
        let url: Url = url.parse().unwrap();
        let mine = self.cookies.iter().filter(|((_, path), _)| url.path().starts_with(path));
        let cookies: Vec<_> = mine.map(|((name, _), value)| format!("{name}={value}")).collect();
        if !cookies.is_empty() {
            request = request.header("cookie", cookies.join("; "));
        }
        let (status, headers, body) = self.runtime.block_on(async {
            let answer = request.send().await.unwrap();
            (answer.status().as_u16(), answer.headers().clone(), answer.text().await.unwrap())
        });
        let answer = Answer { url, status, headers, body };
        for set in answer.all("set-cookie") {
            self.keep(&set);
        }
        answer
    }

    fn keep(&mut self, set: &str) {
        let mut parts = set.split(';').map(str::trim);
        let (name, value) = parts.next().unwrap().split_once('=').unwrap();
        let attributes: Vec<_> = parts.map(str::to_lowercase).collect();
        let path = attributes.iter().find_map(|part| part.strip_prefix("path=")).unwrap_or("/");
        // The path's letter case counts.
        let at = set.to_lowercase().find("path=").map(|at| &set[at + 5..][..path.len()]);
        let key = (name.to_owned(), at.unwrap_or("/").to_owned());
        let gone = value.is_empty() || attributes.iter().any(|part| part == "max-age=0");
        match gone {
            true => self.cookies.remove(&key),
            false => self.cookies.insert(key, value.to_owned()),
        };
    }
}

impl Answer {
    /// The first value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// All values of a header.
    pub(crate) fn all(&self, name: &str) -> Vec<String> {
        self.headers.get_all(name).iter().map(|value| value.to_str().unwrap().to_owned()).collect()
    }

    /// Where it redirects to, in full.
    pub(crate) fn location(&self) -> Option<String> {
        self.header("location").map(|to| self.url.join(to).unwrap().to_string())
    }

    /// A parameter of where it redirects to.
    pub(crate) fn sent(&self, name: &str) -> Option<String> {
        let to: Url = self.location()?.parse().unwrap();
        to.query_pairs().find(|(own, _)| own == name).map(|(_, value)| value.into_owned())
    }

    /// The first value of an attribute in the page, without character references.
    pub(crate) fn attribute(&self, name: &str) -> Option<String> {
        let (_, after) = self.body.split_once(&format!("{name}=\""))?;
        Some(plain(after.split('"').next()?))
    }

    /// The value of a hidden field of a form.
    pub(crate) fn field(&self, name: &str) -> Option<String> {
        let (_, after) = self.body.split_once(&format!("name=\"{name}\" value=\""))?;
        Some(plain(after.split('"').next()?))
    }
}

fn plain(text: &str) -> String {
    let text = text.replace("&quot;", "\"").replace("&#34;", "\"").replace("&#38;", "&").replace("&amp;", "&");
    text.replace("&#39;", "'").replace("&lt;", "<").replace("&gt;", ">")
}
