# The changing half of exseal's helper: what it changes on an Exchange server, one verb at a time. It is sent behind the reading half
# (Exseal.psm1) as one text, the files in the order contract.json lists them, and only into a session that is about to apply a plan.
# For Windows PowerShell 5.1, elevated, 64 bit. Each function is one verb of contract.json with one plain result: whether it changed
# anything, what was before, what is after. A verb reads what it depends on right before it acts and refuses when that has moved.
# What it may not or cannot do ends in one error, whose id is a code of the contract; see New-ExsealError.
# No function reads text that Windows translates: objects, numbers, ids and SIDs only.
# This file: the one shape of an error and of a result.

Set-StrictMode -Version 2.0
# What cannot be read ends a verb: it never counts as missing.
$ErrorActionPreference = 'Stop'

# The one shape of an error. Its id is the code, its target the details as JSON: what was expected and found, and the effect:
# 'none' when nothing was changed, 'done' when everything was and something else is wrong, 'unknown' when that must be read again.
function New-ExsealError {
    param([string]$Code, [string]$Effect = 'none', [string]$Expected, [string]$Found, $HResult, $Holder)
    $detail = [ordered]@{ code = $Code; effect = $Effect; expected = $Expected; found = $Found; hresult = $HResult; holder = $Holder }
    $text = '{0}: expected {1}, found {2}' -f $Code, $Expected, $Found
    $exception = New-Object InvalidOperationException -ArgumentList $text
    $json = ConvertTo-Json -InputObject $detail -Depth 4 -Compress
    # 7 is InvalidOperation.
    New-Object Management.Automation.ErrorRecord -ArgumentList $exception, $Code, ([Management.Automation.ErrorCategory]7), $json
}

# What a verb ends with: our own errors as they are, everything else by its HRESULT, because texts are translated.
function ConvertTo-ExsealError {
    param([Management.Automation.ErrorRecord]$Record, [bool]$Acting)
    if ($Record.TargetObject -is [string] -and $Record.TargetObject.StartsWith('{"code":')) { return $Record }
    $cause = $Record.Exception.GetBaseException()
    $number = '0x{0:X8}' -f $cause.HResult
    $effect = 'none'
    if ($Acting) { $effect = 'unknown' }
    return (New-ExsealError -Code 'Windows' -Effect $effect -Expected 'success' -Found ($number + ' ' + $cause.GetType().FullName) -HResult $number)
}

# The one shape of a result.
function New-ExsealResult {
    param([bool]$Changed, $Before, $After)
    [pscustomobject]@{ changed = $Changed; before = $Before; after = $After }
}

# A hash as it is compared: upper case, and nothing for nothing.
function ConvertTo-ExsealHash {
    param([string]$Text)
    if ([string]::IsNullOrEmpty($Text)) { return 'none' }
    return $Text.ToUpperInvariant()
}
