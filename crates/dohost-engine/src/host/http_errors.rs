//! What went wrong with a body or a request, as `wasi:http@0.3` tells guests of it.

use wasmtime_wasi_http::p3::bindings::http::types::{DnsErrorPayload, ErrorCode};

use crate::event::BodyError;

/// The code for an error. What the standard has no word for is an internal error with its text.
pub(crate) fn error_code(error: &BodyError) -> ErrorCode {
    match error {
        BodyError::ConfigurationError => ErrorCode::ConfigurationError,
        BodyError::ConnectionLimitReached => ErrorCode::ConnectionLimitReached,
        BodyError::ConnectionReadTimeout => ErrorCode::ConnectionReadTimeout,
        BodyError::ConnectionRefused | BodyError::Connect(_) => ErrorCode::ConnectionRefused,
        BodyError::ConnectionTerminated => ErrorCode::ConnectionTerminated,
        BodyError::ConnectionTimeout => ErrorCode::ConnectionTimeout,
        BodyError::ConnectionWriteTimeout => ErrorCode::ConnectionWriteTimeout,
        BodyError::DestinationIpProhibited => ErrorCode::DestinationIpProhibited,
        BodyError::DestinationIpUnroutable => ErrorCode::DestinationIpUnroutable,
        BodyError::DestinationNotFound => ErrorCode::DestinationNotFound,
        BodyError::DestinationUnavailable => ErrorCode::DestinationUnavailable,
        BodyError::DnsTimeout => ErrorCode::DnsTimeout,
        BodyError::DnsError { rcode, info_code } => {
            ErrorCode::DnsError(DnsErrorPayload { rcode: rcode.clone(), info_code: *info_code })
        }
        BodyError::HttpProtocolError | BodyError::Hyper(_) => ErrorCode::HttpProtocolError,
        BodyError::HttpRequestBodySize(size) => ErrorCode::HttpRequestBodySize(*size),
        BodyError::HttpRequestDenied => ErrorCode::HttpRequestDenied,
        BodyError::HttpRequestMethodInvalid => ErrorCode::HttpRequestMethodInvalid,
        BodyError::HttpRequestUriInvalid => ErrorCode::HttpRequestUriInvalid,
        BodyError::HttpResponseBodySize(size) => ErrorCode::HttpResponseBodySize(*size),
        BodyError::HttpResponseIncomplete => ErrorCode::HttpResponseIncomplete,
        BodyError::HttpResponseTimeout => ErrorCode::HttpResponseTimeout,
        BodyError::LoopDetected => ErrorCode::LoopDetected,
        BodyError::TlsCertificateError => ErrorCode::TlsCertificateError,
        BodyError::TlsProtocolError | BodyError::Tls(_) => ErrorCode::TlsProtocolError,
        BodyError::InternalError(text) => ErrorCode::InternalError(text.clone()),
        other => ErrorCode::InternalError(Some(other.to_string())),
    }
}
