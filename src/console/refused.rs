//! A refusal on its way from a handler to the pipeline, which makes the answer.

use crate::error::RequestError;
use axum::{body::Body, http::Response, response::IntoResponse};

/// What a handler returns instead of an answer.
#[derive(Debug)]
pub struct Refused(pub RequestError);

impl From<RequestError> for Refused {
    fn from(error: RequestError) -> Self {
        Self(error)
    }
}

/// Carries the error; [`super::Console::answer`] takes it out again.
impl IntoResponse for Refused {
    fn into_response(self) -> Response<Body> {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = self.0.kind.status().0;
        response.extensions_mut().insert(self.0);
        response
    }
}
