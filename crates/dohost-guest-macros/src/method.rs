//! A method: what its signature says.

use heck::ToKebabCase;
use proc_macro2::Ident;
use syn::ext::IdentExt;
use syn::{Error, FnArg, ImplItemFn, Pat, Result, ReturnType, TraitItemFn, Type, Visibility};

use crate::types::{Returned, WitType, returned};

/// A method of a class.
pub struct Method {
    pub docs: Vec<String>,
    /// In Rust.
    pub name: Ident,
    pub is_async: bool,
    pub parameters: Vec<Parameter>,
    pub returned: Returned,
}

pub struct Parameter {
    pub name: Ident,
    pub rust: Type,
    pub wit: WitType,
}

/// Whether a function is a method; an error if it should be one and cannot.
pub fn is_method(function: &ImplItemFn) -> Result<bool> {
    if !matches!(function.vis, Visibility::Public(_)) {
        return Ok(false);
    }
    let Some(receiver) = function.sig.receiver() else { return Ok(false) };
    if receiver.reference.is_none() || receiver.mutability.is_some() {
        return Err(Error::new_spanned(
            receiver,
            "a method takes `&self`, as others may run while it waits; what changes is in a `Cell` or a `RefCell`",
        ));
    }
    if !function.sig.generics.params.is_empty() {
        return Err(Error::new_spanned(&function.sig.generics, "a method has no type parameters"));
    }
    Ok(true)
}

impl Method {
    pub fn new(function: &TraitItemFn) -> Result<Method> {
        let mut parameters = Vec::new();
        for argument in &function.sig.inputs {
            let FnArg::Typed(argument) = argument else { continue };
            let Pat::Ident(name) = &*argument.pat else {
                return Err(Error::new_spanned(&argument.pat, "a parameter of a method has a name"));
            };
            let wit = WitType::of(&argument.ty)?;
            parameters.push(Parameter { name: name.ident.clone(), rust: (*argument.ty).clone(), wit });
        }
        let returned = match &function.sig.output {
            ReturnType::Default => Returned::Nothing,
            ReturnType::Type(_, ty) => returned(ty)?,
        };
        Ok(Method {
            docs: docs(&function.attrs),
            name: function.sig.ident.clone(),
            is_async: function.sig.asyncness.is_some(),
            parameters,
            returned,
        })
    }
}

/// The lines of a doc comment.
pub fn docs(attributes: &[syn::Attribute]) -> Vec<String> {
    let line = |attribute: &syn::Attribute| match &attribute.meta {
        syn::Meta::NameValue(syn::MetaNameValue {
            path,
            value: syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }),
            ..
        }) if path.is_ident("doc") => Some(text.value()),
        _ => None,
    };
    attributes.iter().filter_map(line).flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>()).collect()
}

/// The name in WIT.
pub fn wit_name(name: &Ident) -> String {
    name.unraw().to_string().to_kebab_case()
}

impl Method {
    /// Calls `f` with the types of what it takes and gives.
    pub fn each_type(&self, f: &mut impl FnMut(&WitType)) {
        self.parameters.iter().for_each(|parameter| f(&parameter.wit));
        match &self.returned {
            Returned::Value { wit, .. } | Returned::OrText { wit: Some(wit), .. } => f(wit),
            Returned::Nothing | Returned::OrText { .. } => {}
        }
    }
}
