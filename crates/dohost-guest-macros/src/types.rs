//! From types of Rust to those of WIT.

use proc_macro2::Span;
use syn::spanned::Spanned;
use syn::{Error, GenericArgument, Path, PathArguments, Result, Type};

/// A type of WIT.
#[derive(Clone)]
pub enum WitType {
    /// One that WIT has a word for.
    Word(&'static str),
    List(Box<WitType>),
    Option(Box<WitType>),
    Result(Option<Box<WitType>>, Option<Box<WitType>>),
    Tuple(Vec<WitType>),
    /// A struct or an enum.
    Named(Path),
}

/// What a method gives.
pub enum Returned {
    Nothing,
    Value {
        rust: Type,
        wit: WitType,
    },
    /// A `Result` whose error becomes a text. None for `()`.
    OrText {
        rust: Option<Type>,
        wit: Option<WitType>,
    },
}

/// The type that a method gives.
pub fn returned(ty: &Type) -> Result<Returned> {
    if is_unit(ty) {
        return Ok(Returned::Nothing);
    }
    if let Some(("Result", arguments)) = generic(ty).as_ref().map(|(name, arguments)| (name.as_str(), arguments)) {
        let ok = match arguments.first() {
            Some(ok) if is_unit(ok) => None,
            Some(ok) => Some(ok.clone()),
            None => return Err(Error::new_spanned(ty, "say what it gives: `Result<u64>`")),
        };
        if arguments.len() == 1 || arguments.get(1).is_some_and(is_error) {
            let wit = ok.as_ref().map(WitType::of).transpose()?;
            return Ok(Returned::OrText { rust: ok, wit });
        }
    }
    Ok(Returned::Value { rust: ty.clone(), wit: WitType::of(ty)? })
}

impl WitType {
    pub fn of(ty: &Type) -> Result<WitType> {
        match ty {
            Type::Paren(inner) => WitType::of(&inner.elem),
            Type::Group(inner) => WitType::of(&inner.elem),
            Type::Tuple(tuple) if tuple.elems.is_empty() => {
                Err(Error::new_spanned(ty, "`()` stands only where a method gives nothing, and in a `Result`"))
            }
            Type::Tuple(tuple) => Ok(WitType::Tuple(tuple.elems.iter().map(WitType::of).collect::<Result<_>>()?)),
            Type::Reference(_) => {
                Err(Error::new_spanned(ty, "what a method takes and gives is its own: `String`, `Vec<T>`"))
            }
            Type::Path(path) if path.qself.is_none() => of_path(ty, &path.path),
            _ => Err(unknown(ty)),
        }
    }

    /// Calls `f` with the name of each struct and enum in it.
    pub fn each_name(&self, f: &mut impl FnMut(&Path)) {
        match self {
            WitType::Word(_) => {}
            WitType::List(inner) | WitType::Option(inner) => inner.each_name(f),
            WitType::Result(ok, error) => ok.iter().chain(error).for_each(|inner| inner.each_name(f)),
            WitType::Tuple(elements) => elements.iter().for_each(|inner| inner.each_name(f)),
            WitType::Named(path) => f(path),
        }
    }
}

fn of_path(ty: &Type, path: &Path) -> Result<WitType> {
    let (name, arguments) = generic(ty).ok_or_else(|| unknown(ty))?;
    let one = || match arguments.as_slice() {
        [inner] => WitType::of(inner).map(Box::new),
        _ => Err(Error::new_spanned(ty, format!("`{name}` has one type in it"))),
    };
    if arguments.is_empty() {
        let word = match name.as_str() {
            "bool" | "char" | "u8" | "u16" | "u32" | "u64" | "f32" | "f64" | "i8" | "i16" | "i32" | "i64"
            | "String" => word(&name),
            "usize" | "isize" | "u128" | "i128" => {
                return Err(Error::new_spanned(ty, format!("WIT has no `{name}`; `u64` and `i64` are the largest")));
            }
            "str" => return Err(Error::new_spanned(ty, "what a method takes and gives is its own: `String`")),
            _ => return Ok(WitType::Named(path.clone())),
        };
        return Ok(WitType::Word(word));
    }
    match name.as_str() {
        "Vec" => Ok(WitType::List(one()?)),
        "Option" => Ok(WitType::Option(one()?)),
        "Result" => {
            let [ok, error] = arguments.as_slice() else {
                return Err(Error::new_spanned(ty, "inside of another type, a `Result` says what its error is"));
            };
            let side = |ty: &Type| if is_unit(ty) { Ok(None) } else { WitType::of(ty).map(|ty| Some(Box::new(ty))) };
            Ok(WitType::Result(side(ok)?, side(error)?))
        }
        "HashMap" | "BTreeMap" => Err(Error::new_spanned(ty, "WIT has no maps; give a `Vec` of pairs")),
        "HashSet" | "BTreeSet" => Err(Error::new_spanned(ty, "WIT has no sets; give a `Vec`")),
        _ => Err(unknown(ty)),
    }
}

fn word(rust: &str) -> &'static str {
    const WORDS: [(&str, &str); 13] = [
        ("bool", "bool"),
        ("char", "char"),
        ("u8", "u8"),
        ("u16", "u16"),
        ("u32", "u32"),
        ("u64", "u64"),
        ("i8", "s8"),
        ("i16", "s16"),
        ("i32", "s32"),
        ("i64", "s64"),
        ("f32", "f32"),
        ("f64", "f64"),
        ("String", "string"),
    ];
    WORDS.iter().find(|(name, _)| *name == rust).map(|(_, word)| *word).expect("only those are asked for")
}

/// The last name of a path, and the types in it.
fn generic(ty: &Type) -> Option<(String, Vec<Type>)> {
    let Type::Path(path) = ty else { return None };
    let last = path.path.segments.last()?;
    let arguments = match &last.arguments {
        PathArguments::None => Vec::new(),
        PathArguments::AngleBracketed(arguments) => {
            let types = arguments.args.iter().map(|argument| match argument {
                GenericArgument::Type(ty) => Some(ty.clone()),
                _ => None,
            });
            types.collect::<Option<_>>()?
        }
        PathArguments::Parenthesized(_) => return None,
    };
    Some((last.ident.to_string(), arguments))
}

fn is_unit(ty: &Type) -> bool {
    matches!(ty, Type::Tuple(tuple) if tuple.elems.is_empty())
}

/// The error of dohost-guest, by whatever path.
fn is_error(ty: &Type) -> bool {
    generic(ty).is_some_and(|(name, arguments)| name == "Error" && arguments.is_empty())
}

fn unknown(ty: &Type) -> Error {
    let span: Span = ty.span();
    Error::new(span, "no copy of this can leave the object: `#[durable_object]` says which types methods may have")
}
