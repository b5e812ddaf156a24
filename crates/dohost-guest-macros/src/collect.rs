//! Gathers the definitions of all types in the methods of a class, one after the other, each from the macro that its
//! derive left.
//!
//! The state goes along: `{ { ABI Class fn …; fn …; } { definitions… } } { the definition that was asked for }`.

use proc_macro2::{Ident, TokenStream};
use quote::quote;
use syn::parse::{Parse, ParseStream};
use syn::{Error, Fields, Item, Path, Result, TraitItemFn, braced, bracketed};

use crate::exports::Abi;
use crate::glue;
use crate::method::Method;
use crate::types::WitType;

/// How far the gathering has come.
pub struct State {
    abi: Abi,
    class: Path,
    signatures: Vec<TraitItemFn>,
    definitions: Vec<Definition>,
}

/// A struct or an enum, and how the methods name it.
pub struct Definition {
    pub path: Path,
    pub item: Item,
}

impl Definition {
    pub fn name(&self) -> &Ident {
        match &self.item {
            Item::Struct(item) => &item.ident,
            Item::Enum(item) => &item.ident,
            _ => unreachable!("only those are parsed"),
        }
    }

    /// Its fields or the values of its cases.
    pub fn types(&self) -> Result<Vec<WitType>> {
        let fields: Vec<&Fields> = match &self.item {
            Item::Struct(item) => vec![&item.fields],
            Item::Enum(item) => item.variants.iter().map(|case| &case.fields).collect(),
            _ => unreachable!("only those are parsed"),
        };
        fields.into_iter().flatten().map(|field| WitType::of(&field.ty)).collect()
    }

    /// How the methods would name what is named like this here. A plain name is most likely from the same module.
    fn seen_from_methods(&self, path: &Path) -> Path {
        if path.leading_colon.is_some() || path.segments.len() > 1 {
            return path.clone();
        }
        let mut here = self.path.clone();
        *here.segments.last_mut().expect("a path has a name") = path.segments[0].clone();
        here
    }
}

impl Parse for Definition {
    fn parse(input: ParseStream) -> Result<Definition> {
        let path;
        bracketed!(path in input);
        let definition = Definition { path: path.parse()?, item: input.parse()? };
        match definition.item {
            Item::Struct(_) | Item::Enum(_) => Ok(definition),
            other => Err(Error::new_spanned(other, "neither a struct nor an enum")),
        }
    }
}

impl Parse for State {
    fn parse(input: ParseStream) -> Result<State> {
        let (state, signed, defined, added);
        braced!(state in input);
        braced!(signed in state);
        let abi = Abi::parse(&signed)?;
        let class = signed.parse()?;
        let mut signatures = Vec::new();
        while !signed.is_empty() {
            signatures.push(signed.parse()?);
        }
        braced!(defined in state);
        braced!(added in input);
        let mut definitions = Vec::new();
        for source in [&defined, &added] {
            while !source.is_empty() {
                definitions.push(source.parse()?);
            }
        }
        Ok(State { abi, class, signatures, definitions })
    }
}

/// Asks for the next definition, or writes everything when there is none to ask for.
pub fn step(state: State) -> Result<TokenStream> {
    let State { abi, class, signatures, definitions } = state;
    let methods = signatures.iter().map(Method::new).collect::<Result<Vec<_>>>()?;
    let Some(missing) = missing(&methods, &definitions)? else {
        return glue::write(abi, &class, &methods, &definitions);
    };
    let abi = abi.word();
    let defined = definitions.iter().map(|Definition { path, item }| quote!([#path] #item));
    Ok(quote! {
        #missing! {
            [::dohost_guest::__private::methods]
            { { #abi #class #(#signatures)* } { #(#defined)* } }
            [#missing]
        }
    })
}

/// A type that is named and whose definition is not there.
fn missing(methods: &[Method], definitions: &[Definition]) -> Result<Option<Path>> {
    let mut named: Vec<Path> = Vec::new();
    for method in methods {
        method.each_type(&mut |ty| ty.each_name(&mut |path| named.push(path.clone())));
    }
    for definition in definitions {
        for ty in definition.types()? {
            ty.each_name(&mut |path| named.push(definition.seen_from_methods(path)));
        }
    }
    let is_defined = |path: &Path| {
        let name = &path.segments.last().expect("a path has a name").ident;
        definitions.iter().any(|definition| definition.name() == name)
    };
    Ok(named.into_iter().find(|path| !is_defined(path)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wit::{self, Names};

    /// The methods with the definitions that have come.
    fn gathered(tokens: TokenStream) -> Result<String> {
        let State { signatures, definitions, .. } = syn::parse2(tokens)?;
        let methods = signatures.iter().map(Method::new).collect::<Result<Vec<_>>>()?;
        if let Some(missing) = missing(&methods, &definitions)? {
            return Ok(format!("missing {}", quote!(#missing)));
        }
        wit::text(&Names::new("my_shop", "CartOf"), &methods, &definitions)
    }

    #[test]
    fn definitions_are_asked_for_where_the_methods_or_their_types_name_them() {
        let item = quote!([goods::Item] struct Item { price: Price, note: Option<String> });
        let signatures = quote!(async CartOf fn add(&self, item: goods::Item) -> Result<Vec<u8>>;);
        let step = |definitions| gathered(quote!({ { #signatures } { #definitions } } {})).unwrap();
        assert_eq!(step(quote!()), "missing goods :: Item");
        assert_eq!(step(item.clone()), "missing goods :: Price");
        let text = step(quote!(#item [goods::Price] enum Price { Free, Cents(u32) }));
        for line in [
            "package %my-shop:%cart-of {",
            "%add: async func(%item: %item) -> result<list<u8>, string>;",
            "%note: option<string>,",
            "variant %price {",
            "%cents(u32),",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
        wit::with_comments(&Names::new("my_shop", "CartOf"), &text).expect("it is WIT");
    }

    #[test]
    fn types_that_wit_does_not_have_are_refused_with_what_to_do() {
        for (ty, text) in [
            (quote!(usize), "`u64` and `i64` are the largest"),
            (quote!(&str), "`String`"),
            (quote!(HashMap<String, u8>), "a `Vec` of pairs"),
            (quote!(Box<u8>), "no copy of this can leave the object"),
            (quote!(Vec<Result<u8>>), "says what its error is"),
        ] {
            let error = gathered(quote!({ { async C fn f(&self, it: #ty); } {} } {})).expect_err("no such type");
            assert!(error.to_string().contains(text), "{error}");
        }
    }
}
